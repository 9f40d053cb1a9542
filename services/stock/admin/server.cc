#include "stock/admin/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <exception>
#include <thread>
#include <utility>

#include "stock/admin/bounded_http_server.h"
#include "stock/admin/console.h"

namespace stock::admin {
namespace {

// Of a change, bytes.
constexpr std::size_t kLargestChange = 8 << 10;
constexpr char kText[] = "text/plain; charset=utf-8";
constexpr char kMetrics[] = "text/plain; version=0.0.4; charset=utf-8";
constexpr char kIndex[] =
    "stockd\n"
    "\n"
    "/metrics  for Prometheus\n"
    "/healthz  200 while the process serves at all\n"
    "/readyz   200 while it can do its work, else 503; one line per check\n"
    "/console  for people\n";

// "ok primary", "FAIL redis: connection refused", "FAIL redis (not required): ...".
std::string line_of(const Check& check) {
  std::string line = fmt::format("{} {}{}", check.ok ? "ok" : "FAIL", check.name,
                                 check.ok || check.required ? "" : " (not required)");
  if (!check.detail.empty()) {
    line += ": " + check.detail;
  }
  // What a driver says may have lines of its own.
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return line + "\n";
}

void answer_ready(const std::vector<Check>& checks, httplib::Response& response) {
  std::string text;
  bool ready = true;
  for (const Check& check : checks) {
    ready = ready && (check.ok || !check.required);
    text += line_of(check);
  }
  response.status = ready ? 200 : 503;
  response.set_content(text.empty() ? "ok\n" : text, kText);
}

std::string_view reason(int status) {
  return status == 404   ? "not found"
         : status == 405 ? "not with this method"
         : status >= 500 ? "failed"
                         : "bad request";
}

void add_routes(httplib::Server& http, const Options& options, std::atomic<int>& questions) {
  using httplib::Request;
  using httplib::Response;

  http.set_default_headers({{"Cache-Control", "no-store"}});
  http.set_post_routing_handler([](const Request&, Response& response) {
    if (!response.has_header("Content-Security-Policy")) {
      response.set_header("X-Content-Type-Options", "nosniff");
      response.set_header("Content-Security-Policy", "default-src 'none'");
    }
  });
  http.set_payload_max_length(options.change ? kLargestChange : 0);
  http.set_pre_routing_handler([&options](const Request& request, Response& response) {
    const bool changes = options.change && request.method == "POST" && may_change(request.path);
    if (request.method == "GET" || request.method == "HEAD" || changes) {
      return httplib::Server::HandlerResponse::Unhandled;
    }
    response.status = 405;
    response.set_header("Allow", "GET, HEAD");
    return httplib::Server::HandlerResponse::Handled;
  });
  http.Get("/", [](const Request&, Response& response) { response.set_content(kIndex, kText); });
  http.Get("/healthz",
           [](const Request&, Response& response) { response.set_content("ok\n", kText); });
  http.Get("/readyz", [&options](const Request&, Response& response) {
    answer_ready(options.checks(), response);
  });
  http.Get("/metrics", [&options](const Request&, Response& response) {
    response.set_content(options.metrics(), kMetrics);
  });
  if (options.console) add_console(http, options, questions);
  http.set_exception_handler([](const Request&, Response& response, const std::exception_ptr&) {
    response.status = 500;
    response.set_content("the page could not be made\n", kText);
  });
  http.set_error_handler([](const Request&, Response& response) {
    if (response.body.empty()) {
      response.set_content(fmt::format("{} {}\n", response.status, reason(response.status)), kText);
    }
  });
}

}  // namespace

struct Server::Running {
  explicit Running(BoundedHttpServer::Limits limits) : http(limits) {}

  BoundedHttpServer http;
  std::atomic<int> questions{0};  // of the console, under way
  std::uint16_t port = 0;
  std::thread acceptor;
};

Server::Server(Options options) : options_(std::move(options)) {}

Server::~Server() { stop(); }

absl::Status Server::start() {
  auto running = std::make_unique<Running>(BoundedHttpServer::Limits{
      .connections = options_.max_connections, .deadline = options_.deadline});
  add_routes(running->http, options_, running->questions);

  errno = 0;
  const bool any = options_.port == 0;
  const int port =
      any ? running->http.bind_to_any_port(options_.host)
          : (running->http.bind_to_port(options_.host, options_.port) ? options_.port : -1);
  if (port <= 0) {
    const char* why = errno != 0 ? std::strerror(errno) : "no such host";
    return absl::UnavailableError(fmt::format("the admin server cannot listen on {}:{}: {}",
                                              options_.host, options_.port, why));
  }
  running->http.widen_backlog();
  running->port = static_cast<std::uint16_t>(port);
  running->acceptor = std::thread([&http = running->http] { http.listen_after_bind(); });
  // Before that httplib would not notice that it is stopped.
  while (!running->http.is_running()) {
    std::this_thread::yield();
  }
  running_ = std::move(running);
  return absl::OkStatus();
}

std::uint16_t Server::port() const { return running_ == nullptr ? 0 : running_->port; }

void Server::stop() {
  if (running_ == nullptr) {
    return;
  }
  running_->http.stop();
  running_->acceptor.join();
  running_ = nullptr;
}

}  // namespace stock::admin

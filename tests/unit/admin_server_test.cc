#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <future>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "stock/admin/server.h"
#include "support/eventually.h"

namespace stock::admin {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

#define EXPECT_HAS(text, part) \
  EXPECT_PRED_FORMAT2(testing::IsSubstring, std::string(part), std::string(text))

class Connection {
 public:
  explicit Connection(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  ~Connection() { ::close(socket_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  bool send(const std::string& text) {
    return ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(text.size());
  }

  std::string read_to_end() {
    std::string text;
    char buffer[4096];
    for (ssize_t got; (got = ::recv(socket_, buffer, sizeof(buffer), 0)) > 0;) {
      text.append(buffer, static_cast<std::size_t>(got));
    }
    return text;
  }

 private:
  const int socket_;
};

std::string request(std::uint16_t port, const std::string& text) {
  Connection connection(port);
  connection.send(text);
  return connection.read_to_end();
}

std::string get(std::uint16_t port, const std::string& path) {
  return request(port, "GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n");
}

class AdminServer : public testing::Test {
 protected:
  Options options() {
    return {.metrics = [this] { return metrics_(); },
            .checks = [this] { return checks_; },
            .max_connections = 8,
            .deadline = seconds(60)};
  }

  std::uint16_t start(Options options) {
    server_ = std::make_unique<Server>(std::move(options));
    const absl::Status status = server_->start();
    EXPECT_TRUE(status.ok()) << status;
    return server_->port();
  }

  std::function<std::string()> metrics_ = [] { return std::string("stock_up 1\n"); };
  std::vector<Check> checks_;
  std::unique_ptr<Server> server_;
};

TEST_F(AdminServer, metrics_are_served_in_the_format_of_prometheus) {
  const std::string answer = get(start(options()), "/metrics");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
  EXPECT_HAS(answer, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
  EXPECT_TRUE(answer.ends_with("\r\n\r\nstock_up 1\n")) << answer;
}

TEST_F(AdminServer, every_answer_forbids_guessing_and_keeping) {
  const std::uint16_t port = start(options());
  for (const char* path : {"/", "/metrics", "/healthz", "/readyz", "/nowhere"}) {
    const std::string answer = get(port, path);
    EXPECT_HAS(answer, "X-Content-Type-Options: nosniff\r\n");
    EXPECT_HAS(answer, "Cache-Control: no-store\r\n");
  }
}

TEST_F(AdminServer, it_is_ready_when_all_required_checks_are) {
  checks_ = {{.name = "primary", .ok = true, .detail = ""},
             {.name = "redis", .ok = false, .required = false, .detail = "timed\nout"}};
  const std::uint16_t port = start(options());
  std::string answer = get(port, "/readyz");
  EXPECT_HAS(answer, "HTTP/1.1 200 ");
  EXPECT_TRUE(answer.ends_with("\r\n\r\nok primary\nFAIL redis (not required): timed out\n"))
      << answer;

  checks_[1].required = true;
  answer = get(port, "/readyz");
  EXPECT_HAS(answer, "HTTP/1.1 503 ");
  EXPECT_TRUE(answer.ends_with("\r\n\r\nok primary\nFAIL redis: timed out\n")) << answer;
  EXPECT_HAS(get(port, "/healthz"), "HTTP/1.1 200 ");
}

TEST_F(AdminServer, only_get_and_head_are_taken) {
  const std::uint16_t port = start(options());
  const std::string head = request(port, "HEAD /metrics HTTP/1.1\r\n\r\n");
  EXPECT_HAS(head, "HTTP/1.1 200 ");
  EXPECT_HAS(head, "Content-Length: 11\r\n");
  EXPECT_TRUE(head.ends_with("\r\n\r\n")) << head;
  for (const char* method : {"POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
    const std::string answer =
        request(port, std::string(method) + " /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
    EXPECT_HAS(answer, "HTTP/1.1 405 ");
    EXPECT_HAS(answer, "Allow: GET, HEAD\r\n");
  }
  EXPECT_HAS(get(port, "/nowhere"), "HTTP/1.1 404 ");
  EXPECT_HAS(get(port, "/metrics/"), "HTTP/1.1 404 ");
}

TEST_F(AdminServer, a_page_that_throws_is_a_500_and_no_more) {
  metrics_ = []() -> std::string { throw std::runtime_error("secret"); };
  const std::uint16_t port = start(options());
  const std::string answer = get(port, "/metrics");
  EXPECT_HAS(answer, "HTTP/1.1 500 ");
  EXPECT_EQ(answer.find("secret"), std::string::npos) << answer;
  EXPECT_HAS(get(port, "/healthz"), "HTTP/1.1 200 ");
}

TEST_F(AdminServer, the_console_is_a_page_that_nothing_can_be_slipped_into) {
  Options with_console = options();
  with_console.console = [](const std::string&, const std::map<std::string, std::string>&) {
    return JsonAnswer{.status = 200, .body = "{}"};
  };
  const std::uint16_t port = start(std::move(with_console));
  for (const char* path : {"/console/", "/console/icon.svg", "/console/api/ListLayers"}) {
    const std::string answer = get(port, path);
    EXPECT_HAS(answer, "HTTP/1.1 200 ");
    EXPECT_HAS(answer, "Content-Security-Policy: default-src 'none'; ");
    EXPECT_HAS(answer, "frame-ancestors 'none'");
    EXPECT_EQ(answer.find("unsafe"), std::string::npos) << answer;
    EXPECT_HAS(answer, "X-Content-Type-Options: nosniff\r\n");
    EXPECT_HAS(answer, "X-Frame-Options: DENY\r\n");
    EXPECT_HAS(answer, "Referrer-Policy: no-referrer\r\n");
    EXPECT_HAS(answer, "Cache-Control: no-store\r\n");
  }
  const std::string page = get(port, "/console/");
  EXPECT_HAS(page, "Content-Type: text/html; charset=utf-8\r\n");
  // Whole, and its own script and style are named by what is in them (a browser tests the names).
  EXPECT_HAS(page, "; script-src 'sha256-");
  EXPECT_HAS(page, "; style-src 'sha256-");
  EXPECT_EQ(page.find(" src="), std::string::npos);
  EXPECT_EQ(page.find("stylesheet"), std::string::npos);
  EXPECT_EQ(page.find("\nimport "), std::string::npos);
  EXPECT_HAS(get(port, "/console"), "Location: console/\r\n");
  EXPECT_HAS(get(port, "/console/server.cc"), "HTTP/1.1 404 ");
}

TEST_F(AdminServer, without_somebody_to_answer_there_is_no_console) {
  const std::uint16_t port = start(options());
  EXPECT_HAS(get(port, "/console/"), "HTTP/1.1 404 ");
  EXPECT_HAS(get(port, "/console/api/ListLayers"), "HTTP/1.1 404 ");
}

TEST_F(AdminServer, the_console_hands_on_method_and_fields_as_they_were_meant) {
  Options with_console = options();
  with_console.console = [](const std::string& method,
                            const std::map<std::string, std::string>& fields) {
    return JsonAnswer{.status = 404, .body = method + "|" + fields.at("sku") + "|"};
  };
  const std::string answer =
      get(start(std::move(with_console)), "/console/api/Explain?sku=%3Cb%3E%20%26%2B+1&x=");
  EXPECT_HAS(answer, "HTTP/1.1 404 ");
  EXPECT_HAS(answer, "Content-Type: application/json\r\n");
  EXPECT_TRUE(answer.ends_with("\r\n\r\nExplain|<b> &+ 1|")) << answer;
}

std::string change(std::uint16_t port, const std::string& headers, const std::string& body) {
  return request(port, "POST /console/api/UpdateLayer HTTP/1.1\r\n" + headers +
                           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
}

TEST_F(AdminServer, a_change_is_taken_from_the_console_alone) {
  Options changing = options();
  changing.console = [](const std::string&, const std::map<std::string, std::string>&) {
    return JsonAnswer{.status = 200, .body = "{}"};
  };
  std::vector<std::string> changes;
  changing.change = [&changes](const std::string& method, const std::string& request) {
    changes.push_back(method + " " + request);
    return JsonAnswer{.status = 200, .body = "{}"};
  };
  changing.host = "127.0.0.1";
  const std::uint16_t port = start(std::move(changing));
  const std::string json = "Content-Type: application/json\r\n";
  const std::string page = json + "Console-Change: 1\r\n";
  const auto from = [](const std::string& origin, const std::string& host) {
    return "Origin: " + origin + "\r\nHost: " + host + "\r\n";
  };
  const std::string here = from("http://127.0.0.1:7071", "127.0.0.1:7071");

  EXPECT_HAS(change(port, page + here, "{}"), "HTTP/1.1 200 ");
  EXPECT_HAS(change(port, page + from("https://[::1]:7071", "[::1]:7071"), "{}"), "HTTP/1.1 200 ");
  EXPECT_HAS(change(port, page + from("http://localhost", "localhost"), "{}"), "HTTP/1.1 200 ");
  EXPECT_EQ(changes, std::vector<std::string>(3, "UpdateLayer {}"));
  for (const std::string& headers :
       {json + here,                                                   // without what a page sets
        "Console-Change: 1\r\n" + here,                                // as a form sends it
        page + "Host: 127.0.0.1:7071\r\n",                             // from nowhere
        page + from("http://evil.example", "127.0.0.1:7071"),          // from another page
        page + from("http://127.0.0.1:1", "127.0.0.1:7071"),           // of another port
        page + from("http://evil.example:7071", "evil.example:7071"),  // by a name of theirs
        page + here + "Sec-Fetch-Site: cross-site\r\n"}) {
    EXPECT_HAS(change(port, headers, "{}"), "HTTP/1.1 403 ") << headers;
  }
  EXPECT_HAS(change(port, page + here, std::string(9000, 'x')), "HTTP/1.1 413 ");
  EXPECT_HAS(request(port, "POST /metrics HTTP/1.1\r\n" + page + here + "\r\n"), "HTTP/1.1 405 ");
  EXPECT_EQ(changes.size(), 3U);
  const std::string asked = get(port, "/console/api/ListLayers");
  EXPECT_HAS(asked, "Console-Changes: on\r\n");
  EXPECT_EQ(asked.find("Console-Flags"), std::string::npos) << asked;
}

TEST_F(AdminServer, questions_of_the_console_that_wait_keep_no_machine_waiting) {
  std::promise<void> answered;
  Options with_console = options();
  with_console.max_connections = 64;  // so that none of them is turned away before it has asked
  with_console.max_console_questions = 3;
  with_console.console = [wait = answered.get_future().share()](
                             const std::string&, const std::map<std::string, std::string>&) {
    wait.wait();
    return JsonAnswer{.status = 200, .body = "{}"};
  };
  const std::uint16_t port = start(std::move(with_console));
  std::vector<std::future<std::string>> asked;
  for (int i = 0; i < 20; ++i) {
    asked.push_back(
        std::async(std::launch::async, [port] { return get(port, "/console/api/Explain"); }));
  }
  for (int i = 0; i < 20; ++i) {
    EXPECT_HAS(get(port, "/healthz"), "HTTP/1.1 200 ");
    EXPECT_HAS(get(port, "/metrics"), "HTTP/1.1 200 ");
  }
  // All but those that wait are refused.
  const auto over = [&asked] {
    return std::ranges::count_if(asked, [](const auto& answer) {
      return answer.wait_for(seconds(0)) == std::future_status::ready;
    });
  };
  EXPECT_TRUE(support::eventually(over, 17));
  answered.set_value();
  int refused = 0;
  for (auto& answer : asked) refused += answer.get().find("HTTP/1.1 503 ") == 0 ? 1 : 0;
  EXPECT_EQ(refused, 17);
}

TEST_F(AdminServer, a_taken_port_is_a_clear_error) {
  const std::uint16_t port = start(options());
  Options second = options();
  second.port = port;
  const absl::Status status = Server(std::move(second)).start();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(std::string(status.message()), "the admin server cannot listen on 127.0.0.1:" +
                                               std::to_string(port) + ": Address already in use");
}

TEST_F(AdminServer, an_unknown_host_is_a_clear_error) {
  Options nowhere = options();
  nowhere.host = "no.such.host.invalid";
  EXPECT_HAS(std::string(Server(std::move(nowhere)).start().message()), "no.such.host.invalid:0");
}

TEST_F(AdminServer, the_port_is_free_again_after_a_stop) {
  const std::uint16_t port = start(options());
  EXPECT_HAS(get(port, "/healthz"), "200");
  server_->stop();
  server_->stop();
  Options again = options();
  again.port = port;
  EXPECT_EQ(start(std::move(again)), port);
}

TEST_F(AdminServer, idle_and_dripping_clients_keep_nobody_waiting) {
  const std::uint16_t port = start(options());
  std::vector<std::unique_ptr<Connection>> idle;
  for (int i = 0; i < 100; ++i) {
    idle.push_back(std::make_unique<Connection>(port));
    idle.back()->send(i % 2 == 0 ? "GET /me" : "GET / HTTP/1.1\r\n");
  }
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_HAS(get(port, "/healthz"), "HTTP/1.1 200 ");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(30));
}

TEST_F(AdminServer, clients_that_do_not_read_make_room_long_before_their_deadline) {
  metrics_ = [] { return std::string(64 << 20, 'x'); };
  Options patient = options();
  patient.deadline = std::chrono::hours(1);
  const std::uint16_t port = start(std::move(patient));
  std::vector<std::unique_ptr<Connection>> deaf;
  for (int i = 0; i < 8; ++i) {
    deaf.push_back(std::make_unique<Connection>(port));
    deaf.back()->send("GET /metrics HTTP/1.1\r\n\r\n");
  }
  EXPECT_HAS(get(port, "/healthz"), "HTTP/1.1 200 ");
}

// Of this process: those that were accepted at `port`.
int accepted(std::uint16_t port) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int fd = std::stoi(entry.path().filename());
    sockaddr_in own{};
    sockaddr_in peer{};
    socklen_t size = sizeof own;
    const bool here = ::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) == 0 &&
                      own.sin_family == AF_INET && ntohs(own.sin_port) == port;
    size = sizeof peer;
    if (here && ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0) ++count;
  }
  return count;
}

TEST_F(AdminServer, no_more_are_accepted_than_may_wait) {
  std::promise<void> answered;
  metrics_ = [wait = answered.get_future().share()] {
    wait.wait();
    return std::string("stock_up 1\n");
  };
  Options patient = options();
  patient.deadline = std::chrono::hours(1);
  const std::uint16_t port = start(std::move(patient));
  std::vector<std::unique_ptr<Connection>> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(std::make_unique<Connection>(port));
    clients.back()->send("GET /metrics HTTP/1.1\r\n\r\n");
  }
  // 8 are served and 8 wait, 32 are in the lobby; the next one is held until there is room.
  EXPECT_TRUE(support::eventually([&] { return accepted(port); }, 49));
  for (int i = 0; i < 100; ++i) EXPECT_LE(accepted(port), 49);
  answered.set_value();
  for (const auto& client : clients) EXPECT_HAS(client->read_to_end(), "HTTP/1.1 200 ");
}

TEST_F(AdminServer, who_has_only_connected_keeps_its_place_until_it_asks) {
  Options hasty = options();
  hasty.deadline = seconds(5);
  const std::uint16_t port = start(std::move(hasty));
  std::vector<std::unique_ptr<Connection>> silent;
  for (int i = 0; i < 30; ++i) silent.push_back(std::make_unique<Connection>(port));
  EXPECT_TRUE(support::eventually([&] { return accepted(port); }, 30));
  for (int i = 0; i < 20; ++i) EXPECT_HAS(get(port, "/healthz"), "HTTP/1.1 200 ");
  for (const auto& client : silent) {
    client->send("GET /healthz HTTP/1.1\r\n\r\n");
    EXPECT_HAS(client->read_to_end(), "HTTP/1.1 200 ");
  }
}

TEST_F(AdminServer, of_too_many_that_have_only_connected_the_oldest_goes) {
  const std::uint16_t port = start(options());
  std::vector<std::unique_ptr<Connection>> silent;
  for (int i = 0; i < 100; ++i) silent.push_back(std::make_unique<Connection>(port));
  // Answered after all of them were let in.
  EXPECT_HAS(get(port, "/healthz"), "HTTP/1.1 200 ");
  EXPECT_LE(accepted(port), 32 + 8);
  // There is room for 32, with the one that was answered.
  for (int i = 0; i < 68; ++i) EXPECT_EQ(silent[i]->read_to_end(), "") << i;
  for (int i = 69; i < 100; ++i) {
    silent[i]->send("GET /healthz HTTP/1.1\r\n\r\n");
    EXPECT_HAS(silent[i]->read_to_end(), "HTTP/1.1 200 ");
  }
}

TEST_F(AdminServer, a_dripping_client_is_cut_off_at_the_deadline) {
  Options hasty = options();
  hasty.deadline = milliseconds(300);
  Connection dripping(start(std::move(hasty)));
  const auto begin = std::chrono::steady_clock::now();
  while (dripping.send("x") && std::chrono::steady_clock::now() - begin < seconds(10)) {
    std::this_thread::sleep_for(milliseconds(20));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(10));
}

TEST_F(AdminServer, a_client_that_does_not_read_is_cut_off_at_the_deadline) {
  metrics_ = [] { return std::string(16 << 20, 'x'); };
  Options hasty = options();
  hasty.deadline = milliseconds(300);
  const std::uint16_t port = start(std::move(hasty));
  Connection deaf(port);
  deaf.send("GET /metrics HTTP/1.1\r\n\r\n");
  std::this_thread::sleep_for(milliseconds(600));
  EXPECT_LT(deaf.read_to_end().size(), 16U << 20);
}

TEST_F(AdminServer, endless_headers_are_refused) {
  Connection endless(start(options()));
  endless.send("GET / HTTP/1.1\r\n");
  for (int i = 0; i < 10'000 && endless.send("X-" + std::to_string(i) + ": y\r\n"); ++i) {
  }
  const std::string answer = endless.read_to_end();
  EXPECT_EQ(answer.find("200 OK"), std::string::npos) << answer;
}

TEST_F(AdminServer, a_client_that_leaves_early_ends_nothing) {
  metrics_ = [] { return std::string(1 << 20, 'x'); };
  const std::uint16_t port = start(options());
  for (int i = 0; i < 20; ++i) {
    Connection(port).send("GET /metrics HTTP/1.1\r\n\r\n");
  }
  EXPECT_HAS(get(port, "/healthz"), "HTTP/1.1 200 ");
}

TEST_F(AdminServer, it_works_beside_thousands_of_other_descriptors) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_max < 2000) {
    GTEST_SKIP() << "at most " << limit.rlim_max << " descriptors may be open here";
  }
  const rlimit before = limit;
  limit.rlim_cur = std::max<rlim_t>(limit.rlim_cur, 2000);
  setrlimit(RLIMIT_NOFILE, &limit);
  const std::uint16_t port = start(options());
  std::vector<int> others;
  while (others.empty() || others.back() < 1100) {
    others.push_back(::dup(0));
    ASSERT_GE(others.back(), 0);
  }
  EXPECT_HAS(get(port, "/healthz"), "HTTP/1.1 200 ");
  for (const int fd : others) {
    ::close(fd);
  }
  setrlimit(RLIMIT_NOFILE, &before);
}

TEST_F(AdminServer, many_scrapes_at_once_are_all_answered) {
  const std::uint16_t port = start(options());
  std::atomic<int> answered{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      for (int n = 0; n < 50; ++n) {
        answered += get(port, "/metrics").ends_with("stock_up 1\n") ? 1 : 0;
      }
    });
  }
  for (std::thread& client : clients) {
    client.join();
  }
  EXPECT_EQ(answered, 200);
}

TEST_F(AdminServer, stopping_does_not_wait_for_slow_clients) {
  Options patient = options();
  patient.deadline = seconds(60);
  Connection idle(start(std::move(patient)));
  std::this_thread::sleep_for(milliseconds(50));
  const auto begin = std::chrono::steady_clock::now();
  server_->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(30));
}

}  // namespace
}  // namespace stock::admin

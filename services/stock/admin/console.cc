#include "stock/admin/console.h"

#include <absl/cleanup/cleanup.h>
#include <absl/strings/escaping.h>
#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <array>
#include <string_view>
#include <utility>

#include "stock/admin/console_files.h"

namespace stock::admin {
namespace {

using httplib::Request;
using httplib::Response;

constexpr char kJson[] = "application/json";
constexpr std::string_view kApi = "/console/api/";
constexpr char kMethod[] = R"(/console/api/(\w+))";
// A page from elsewhere cannot send it without having asked for leave, which nobody gives.
constexpr char kChangeHeader[] = "Console-Change";
// Tells the page what it may offer.
constexpr char kChangesHeader[] = "Console-Changes";
constexpr char kFlagsHeader[] = "Console-Flags";

// Of the page and of what it asks: in nobody's frame, no address told to others.
constexpr std::pair<const char*, const char*> kConsoleHeaders[] = {
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Permissions-Policy", "camera=(), geolocation=(), microphone=()"}};
constexpr char kPolicyHeader[] = "Content-Security-Policy";
constexpr char kAnswerPolicy[] = "default-src 'none'; frame-ancestors 'none'";

// How a policy names an element by what is in it.
std::string source_of(std::string_view content) {
  std::array<char, SHA256_DIGEST_LENGTH> digest;
  EVP_Digest(content.data(), content.size(), reinterpret_cast<unsigned char*>(digest.data()),
             nullptr, EVP_sha256(), nullptr);
  return fmt::format("'sha256-{}'", absl::Base64Escape({digest.data(), digest.size()}));
}

// Nothing from elsewhere, and of the page itself its own script and style alone.
std::string page_policy() {
  return fmt::format(
      "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; img-src 'self'; "
      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for "
      "'script'",
      source_of(kConsoleScript), source_of(kConsoleStyle));
}

void add_headers(Response& response, const std::string& policy = kAnswerPolicy) {
  for (const auto& [name, value] : kConsoleHeaders) response.set_header(name, value);
  response.set_header(kPolicyHeader, policy);
}

void refuse(Response& response, int status, const char* code, const char* message) {
  response.status = status;
  response.set_content(fmt::format(R"({{"code":"{}","message":"{}"}})", code, message), kJson);
}

// "[::1]:7071" to "::1", "localhost:7071" to "localhost".
std::string name_of(const std::string& host) {
  if (host.starts_with('[')) return host.substr(1, host.find(']') - 1);
  return host.substr(0, host.rfind(':'));
}

bool is_address(const std::string& name) {
  in6_addr address{};
  return inet_pton(AF_INET, name.c_str(), &address) == 1 ||
         inet_pton(AF_INET6, name.c_str(), &address) == 1;
}

// Whether the console's own page sent it; else why that is doubted.
const char* doubt(const Request& request, const std::string& listens_on) {
  if (request.get_header_value(kChangeHeader) != "1" ||
      request.get_header_value("Content-Type") != kJson) {
    return "changes are taken from the console's page only";
  }
  const std::string host = request.get_header_value("Host");
  const std::string origin = request.get_header_value("Origin");
  const std::string site = request.get_header_value("Sec-Fetch-Site");
  const bool same = origin == "http://" + host || origin == "https://" + host;
  if (host.empty() || !same || (!site.empty() && site != "same-origin")) {
    return "changes are taken from the console's page only: this came from another origin";
  }
  const std::string name = name_of(host);
  if (!is_address(name) && name != "localhost" && name != listens_on) {
    return "changes are not taken under this name: open the console by the address of its host";
  }
  return nullptr;
}

// Answers with what `work` gives, unless too many are under way.
template <typename Work>
void answer(Response& response, const Options& options, std::atomic<int>& questions, Work work) {
  const absl::Cleanup done = [&questions] { --questions; };
  if (++questions > options.max_console_questions) {
    response.set_header("Retry-After", "1");
    return refuse(response, 503, "UNAVAILABLE", "too many questions at a time");
  }
  const JsonAnswer answer = work();
  response.status = answer.status;
  response.set_content(answer.body, kJson);
}

}  // namespace

bool may_change(const std::string& path) { return path.starts_with(kApi); }

void add_console(httplib::Server& http, const Options& options, std::atomic<int>& questions) {
  http.Get("/console",
           [](const Request&, Response& response) { response.set_redirect("console/", 308); });
  http.Get("/console/", [policy = page_policy()](const Request&, Response& response) {
    add_headers(response, policy);
    response.set_content(kConsolePage.data(), kConsolePage.size(), "text/html; charset=utf-8");
  });
  http.Get("/console/icon.svg", [](const Request&, Response& response) {
    add_headers(response);
    response.set_content(kConsoleIcon.data(), kConsoleIcon.size(), "image/svg+xml");
  });
  http.Get(kMethod, [&options, &questions](const Request& request, Response& response) {
    add_headers(response);
    if (options.change) response.set_header(kChangesHeader, "on");
    if (options.flags) response.set_header(kFlagsHeader, "on");
    answer(response, options, questions, [&] {
      return options.console(request.matches[1], {request.params.begin(), request.params.end()});
    });
  });
  if (!options.change) return;
  http.Post(kMethod, [&options, &questions](const Request& request, Response& response) {
    add_headers(response);
    if (const char* const why = doubt(request, options.host); why != nullptr) {
      return refuse(response, 403, "PERMISSION_DENIED", why);
    }
    answer(response, options, questions,
           [&] { return options.change(request.matches[1], request.body); });
  });
}

}  // namespace stock::admin

#pragma once

// The admin port: what machines ask of a process beside its work, over HTTP.
//
//   GET /metrics   what `metrics` returns, for Prometheus
//   GET /healthz   200 while the process serves at all: restart it when this fails
//   GET /readyz    200 or 503, one line per check: send it no traffic while this fails
//   GET /console/  a page for people; /console/api/METHOD?FIELD=VALUE is what it asks, by `console`
//   POST /console/api/METHOD   changes something, by `change`, where set; from the page alone
//   GET /          this list
//
// HEAD works wherever GET does; any other method gets 405, any other path 404. The binary owns the
// server; what the functions use must outlive it. They are called on the server's threads, several
// at a time, and must not wait, except for `console` and `change`: they tell what is known. One
// that throws makes its page a 500, and nothing else fails. Slow and idle clients are cut off and
// never keep others from an answer.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace stock::admin {

struct Check {
  std::string name;
  bool ok = false;
  bool required = true;  // the others are told, but decide nothing
  std::string detail;    // why it fails; one line
};

struct JsonAnswer {
  int status = 200;  // of HTTP
  std::string body;
};

// What the console asks: a method, and the fields of the request. May wait, for less than the
// deadline.
using ConsoleAsk = std::function<JsonAnswer(const std::string& method,
                                            const std::map<std::string, std::string>& fields)>;

// What it does: a method, and the request in JSON. May wait as long.
using ConsoleChange =
    std::function<JsonAnswer(const std::string& method, const std::string& request)>;

struct Options {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;  // 0: any free one
  std::function<std::string()> metrics;
  std::function<std::vector<Check>()> checks;
  // Without it there is no console.
  ConsoleAsk console;
  // Without it the console changes nothing.
  ConsoleChange change;
  // There are flags, of which the console is to ask.
  bool flags = false;
  // Questions and changes of the console that are answered at a time; past it they are refused
  // (503). So many threads can wait, whatever is open in browsers; the others are there for
  // machines.
  int max_console_questions = 4;
  // Connections at a time that have begun to ask, each on a thread that lasts as long as it. Past
  // this many, the oldest makes room for the newest.
  int max_connections = 64;
  // From the first byte of a request to the last one of its answer. Generous, since whoever is slow
  // makes room when others need it: on a machine that is overloaded everybody is slow.
  std::chrono::milliseconds deadline = std::chrono::seconds(30);
};

class Server {
 public:
  explicit Server(Options options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Serves when it returns. UNAVAILABLE with the address and the reason where it cannot listen.
  // Once per Server.
  absl::Status start();

  // The port that is served, once started.
  std::uint16_t port() const;

  // Ends what is under way and returns when no thread of the server is left. Safe to repeat.
  void stop();

 private:
  struct Running;
  const Options options_;
  std::unique_ptr<Running> running_;
};

}  // namespace stock::admin

// A server that a test starts, breaks and starts again: on a free port of loopback, in a folder of
// its own, ready when the constructor returns. A failure to start throws std::runtime_error with
// the tail of its log. Not thread-safe; ends with the object.
#pragma once

#include <csignal>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "support/process.h"
#include "support/temp_dir.h"

namespace stock::support {

class Server {
 public:
  ~Server() = default;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] const std::filesystem::path& dir() const { return dir_.path(); }
  [[nodiscard]] Process& process() { return *process_; }

  // Ends it as an administrator would; its exit status.
  int stop();
  // After stop() or kill9(): again on the same port, with the same data.
  void start();
  void restart() {
    stop();
    start();
  }
  // The end that nobody prepares for.
  void kill9();
  // Still there, and silent: connections are accepted by the kernel, nothing is answered.
  void sigstop() { process_->signal_tree(SIGSTOP); }
  void sigcont() { process_->signal_tree(SIGCONT); }

 protected:
  struct Recipe {
    std::string name;
    std::function<std::vector<std::string>(std::uint16_t port)> command;
    std::function<bool(std::uint16_t port)> ready;
    int stop_signal = SIGTERM;
    std::map<std::string, std::string> environment = {};  // on top of the test program's own
  };

  Server() = default;
  // On a free port; on another one when somebody was faster to take it.
  void start_first(Recipe recipe);

 private:
  void launch();
  bool await_ready();

  TempDir dir_;
  Recipe recipe_;
  std::uint16_t port_ = 0;
  std::unique_ptr<Process> process_;
};

}  // namespace stock::support

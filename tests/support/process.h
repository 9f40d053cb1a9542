// A child process: a server, or a command.
//
// It runs in a process group of its own, with its output in a log file. It does not outlive the
// object. Nor does it outlive the thread that made the object, should the test program crash or be
// killed: start processes in threads that live as long as they are wanted. Failures to start throw
// std::runtime_error. Not thread-safe.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace stock::support {

class Process {
 public:
  struct Options {
    std::vector<std::string> command;  // the first is looked up in PATH
    std::filesystem::path log;         // appended to; takes standard output and standard error
    std::map<std::string, std::string> environment = {};  // on top of the test program's own
  };

  explicit Process(const Options& options);
  // Kills it, and its descendants.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool running() { return !poll_status(); }

  // To the process alone. Does nothing once it has ended.
  void signal(int number);
  // To the process and all that descend from it, whatever group they have moved to, as PostgreSQL's
  // backends do. After SIGKILL all of them have ended.
  void signal_tree(int number);

  // Its exit code, or 128 + the number of the signal that ended it; nothing if it still runs.
  std::optional<int> wait(std::chrono::milliseconds patience);
  // Signals it and waits; kills it when it has not ended by then, which is a status of 137.
  int stop(int number, std::chrono::milliseconds patience = std::chrono::seconds(20));

  // The last lines of the log, for messages.
  [[nodiscard]] std::string log_tail(std::size_t lines = 25) const;
  [[nodiscard]] bool log_contains(const std::string& text) const;

 private:
  std::optional<int> poll_status();

  std::filesystem::path log_;
  pid_t pid_ = -1;
  std::optional<int> status_;
};

// Runs a command to its end. Throws, with its output, if it fails or takes longer than `patience`.
void run_command(const std::vector<std::string>& command, const std::filesystem::path& log,
                 std::chrono::milliseconds patience = std::chrono::seconds(60));

// Runs a command to its end, likewise, and gives its standard output (and standard error).
std::string command_output(const std::vector<std::string>& command);

}  // namespace stock::support

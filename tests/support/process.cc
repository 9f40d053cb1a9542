#include "support/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string_view>
#include <thread>

#include "support/temp_dir.h"

namespace stock::support {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kPollInterval(5);

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<std::string> merged_environment(const std::map<std::string, std::string>& extra) {
  std::vector<std::string> merged;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (extra.count(std::string(text.substr(0, text.find('=')))) == 0) {
      merged.emplace_back(text);
    }
  }
  for (const auto& [name, value] : extra) {
    merged.push_back(name + "=" + value);
  }
  return merged;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (std::string& string : strings) {
    result.push_back(string.data());
  }
  result.push_back(nullptr);
  return result;
}

// Between fork and exec: only what is safe after a fork of a program with threads.
[[noreturn]] void become(pid_t parent, int log, char* const* command, char* const* environment) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) {
    _exit(127);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  const int input = open("/dev/null", O_RDONLY);
  if (input >= 0 && dup2(input, STDIN_FILENO) >= 0 && dup2(log, STDOUT_FILENO) >= 0 &&
      dup2(log, STDERR_FILENO) >= 0) {
    execvpe(command[0], command, environment);
  }
  constexpr std::string_view kMessage = "the command could not be run\n";
  [[maybe_unused]] const ssize_t written = write(log, kMessage.data(), kMessage.size());
  _exit(127);
}

struct Stat {
  char state = 0;
  pid_t parent = 0;
};

// From /proc: "pid (name) state ppid ...", where the name may hold anything. Nothing for a process
// that is gone, which it may be between any two steps.
std::optional<Stat> stat_of(const std::string& pid) {
  const int file = open(("/proc/" + pid + "/stat").c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  std::array<char, 512> buffer{};  // the kernel gives all of it at once, and names are short
  const ssize_t length = read(file, buffer.data(), buffer.size());
  close(file);
  if (length <= 0) return std::nullopt;
  const std::string stat(buffer.data(), static_cast<std::size_t>(length));
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos || name_end + 4 >= stat.size()) {
    return std::nullopt;
  }
  return Stat{.state = stat[name_end + 2], .parent = std::stoi(stat.substr(name_end + 4))};
}

std::optional<pid_t> parent_of(const std::string& pid) {
  const auto stat = stat_of(pid);
  if (!stat) return std::nullopt;
  return stat->parent;
}

// A zombie holds nothing any more, but its number.
bool has_ended(pid_t pid) {
  const auto stat = stat_of(std::to_string(pid));
  return !stat || stat->state == 'Z' || stat->state == 'X';
}

std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") == std::string::npos && parent_of(name) == parent) {
      children.push_back(std::stoi(name));
    }
  }
  return children;
}

// Stops each process before it looks for its children, so that none is missed.
std::vector<pid_t> freeze_tree(pid_t root) {
  std::vector<pid_t> tree = {root};
  for (std::size_t i = 0; i < tree.size(); ++i) {
    kill(tree[i], SIGSTOP);
    for (const pid_t child : children_of(tree[i])) {
      tree.push_back(child);
    }
  }
  return tree;
}

}  // namespace

Process::Process(const Options& options) : log_(options.log) {
  std::vector<std::string> command = options.command;
  std::vector<std::string> environment = merged_environment(options.environment);
  const std::vector<char*> argv = pointers(command);
  const std::vector<char*> envp = pointers(environment);
  const int log = open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (log < 0) {
    throw std::runtime_error(fmt::format("cannot write {}: {}", log_.native(), strerror(errno)));
  }
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    become(parent, log, argv.data(), envp.data());
  }
  const int error = errno;
  close(log);
  if (pid_ < 0) {
    throw std::runtime_error(fmt::format("cannot fork: {}", strerror(error)));
  }
  setpgid(pid_, pid_);  // whichever of the two comes first
}

Process::~Process() {
  if (running()) {
    signal_tree(SIGKILL);
    wait(std::chrono::seconds(20));
  }
}

void Process::signal(int number) {
  if (running()) {
    kill(pid_, number);
  }
}

void Process::signal_tree(int number) {
  if (!running()) {
    return;
  }
  const std::vector<pid_t> tree = freeze_tree(pid_);
  for (const pid_t process : tree) {
    kill(process, number);
    if (number != SIGSTOP) {
      kill(process, SIGCONT);
    }
  }
  if (number != SIGKILL) {
    return;
  }
  // A server is not started again beside what is left of it.
  const auto deadline = steady_clock::now() + std::chrono::seconds(20);
  while (!std::ranges::all_of(tree, has_ended) && steady_clock::now() < deadline) {
    std::this_thread::sleep_for(kPollInterval);
  }
}

std::optional<int> Process::poll_status() {
  int status = 0;
  if (!status_ && waitpid(pid_, &status, WNOHANG) == pid_) {
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  return status_;
}

std::optional<int> Process::wait(milliseconds patience) {
  const auto deadline = steady_clock::now() + patience;
  while (!poll_status() && steady_clock::now() < deadline) {
    std::this_thread::sleep_for(kPollInterval);
  }
  return poll_status();
}

int Process::stop(int number, milliseconds patience) {
  signal(number);
  if (const auto status = wait(patience)) {
    return *status;
  }
  signal_tree(SIGKILL);
  return wait(patience).value_or(128 + SIGKILL);
}

std::string Process::log_tail(std::size_t lines) const {
  std::ifstream file(log_);
  std::deque<std::string> last;
  for (std::string line; std::getline(file, line);) {
    last.push_back(line);
    if (last.size() > lines) {
      last.pop_front();
    }
  }
  return fmt::format("{}:\n  {}", log_.native(), fmt::join(last, "\n  "));
}

bool Process::log_contains(const std::string& text) const {
  return read_file(log_).find(text) != std::string::npos;
}

void run_command(const std::vector<std::string>& command, const std::filesystem::path& log,
                 milliseconds patience) {
  Process process({.command = command, .log = log});
  const auto status = process.wait(patience);
  if (status != 0) {
    throw std::runtime_error(
        fmt::format("`{}` {}\n{}", fmt::join(command, " "),
                    status ? fmt::format("failed with status {}", *status)
                           : fmt::format("had not ended after {} ms", patience.count()),
                    process.log_tail()));
  }
}

std::string command_output(const std::vector<std::string>& command) {
  const TempDir dir;
  run_command(command, dir.path() / "output");
  return read_file(dir.path() / "output");
}

}  // namespace stock::support

#include "stockctl/files/input_file.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "stockctl/text/concat.h"

namespace stockctl {
namespace {

constexpr std::size_t kBlockBytes = 256UL * 1024;

absl::Status system_error(std::string_view what, int error) {
  return absl::InvalidArgumentError(concat(what, ": ", std::strerror(error)));
}

struct Child {
  int pid;
  int output;
};

// `file` becomes the child's standard input, so that no file name is ever taken for an option.
absl::StatusOr<Child> start_xz(int file) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return system_error("no pipe could be made", errno);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, file, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  // Twice quiet: its exit status says enough.
  std::array<std::string, 2> words{"xz", "-dcqq"};
  char* const arguments[] = {words[0].data(), words[1].data(), nullptr};
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, "xz", &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (error == 0) return Child{.pid = pid, .output = ends[0]};
  close(ends[0]);
  if (error == ENOENT) {
    return absl::InvalidArgumentError("the program xz is not installed (Debian package xz-utils)");
  }
  return system_error("xz could not be started", error);
}

}  // namespace

absl::StatusOr<InputFile> InputFile::open(const std::string& path) {
  if (path == "-") return InputFile(dup(STDIN_FILENO), 0);
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return system_error("cannot be opened", errno);
  if (!path.ends_with(".xz")) return InputFile(fd, 0);
  absl::StatusOr<Child> child = start_xz(fd);
  close(fd);
  if (!child.ok()) return child.status();
  return InputFile(child->output, child->pid);
}

InputFile::InputFile(int fd, int child) : fd_(fd), child_(child), buffer_(kBlockBytes, '\0') {}

InputFile::InputFile(InputFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      child_(std::exchange(other.child_, 0)),
      sha256_(std::move(other.sha256_)),
      buffer_(std::move(other.buffer_)) {}

InputFile::~InputFile() {
  // Closed first: a child that still writes then ends by itself.
  if (fd_ >= 0) close(fd_);
  if (child_ > 0) waitpid(child_, nullptr, 0);
}

absl::StatusOr<std::string_view> InputFile::read() {
  ssize_t count;
  do {
    count = ::read(fd_, buffer_.data(), buffer_.size());
  } while (count < 0 && errno == EINTR);
  if (count < 0) return system_error("cannot be read", errno);
  if (count == 0) {
    if (absl::Status status = end_of_child(); !status.ok()) return status;
  }
  const std::string_view bytes(buffer_.data(), static_cast<std::size_t>(count));
  sha256_.update(bytes);
  return bytes;
}

absl::Status InputFile::end_of_child() {
  if (child_ == 0) return absl::OkStatus();
  int result = 0;
  while (waitpid(child_, &result, 0) < 0 && errno == EINTR) {
  }
  child_ = 0;
  if (WIFEXITED(result) && WEXITSTATUS(result) == 0) return absl::OkStatus();
  return absl::DataLossError("cut off or damaged, xz could not read it to its end");
}

}  // namespace stockctl

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "support/eventually.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace stock::support {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class ProcessTest : public ::testing::Test {
 protected:
  Process::Options shell(const std::string& script) {
    return {.command = {"bash", "-c", script}, .log = log_};
  }
  std::string last_log_line(Process& process) {
    const std::string tail = process.log_tail(1);
    return tail.substr(tail.rfind(' ') + 1);
  }

  const TempDir dir_;
  const std::filesystem::path log_ = dir_.path() / "log";
};

// "Z": dead, and its new parent has not yet noticed.
bool alive(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("State:", 0) == 0) {
      return line.find('Z') == std::string::npos;
    }
  }
  return false;
}

TEST_F(ProcessTest, status_is_the_exit_code_or_tells_the_signal) {
  EXPECT_EQ(Process(shell("exit 3")).wait(kGenerous), 3);
  EXPECT_EQ(Process(shell("kill -KILL $$")).wait(kGenerous), 128 + SIGKILL);
}

TEST_F(ProcessTest, a_command_that_does_not_exist_is_status_127) {
  EXPECT_EQ(Process({.command = {"no-such-command"}, .log = log_}).wait(kGenerous), 127);
}

TEST_F(ProcessTest, output_is_in_the_log) {
  Process process(shell("echo one; echo two >&2; echo $WORD"));
  process.wait(kGenerous);
  EXPECT_TRUE(process.log_contains("one\ntwo\n"));
  EXPECT_THAT(process.log_tail(), HasSubstr("two"));
}

TEST_F(ProcessTest, stop_kills_what_does_not_listen) {
  Process process(shell("trap '' TERM; echo ready; while true; do sleep 0.01; done"));
  ASSERT_TRUE(eventually([&] { return process.log_contains("ready"); }));
  EXPECT_EQ(process.stop(SIGTERM, milliseconds(50)), 128 + SIGKILL);
}

TEST_F(ProcessTest, the_whole_tree_ends_with_the_object) {
  pid_t grandchild = 0;
  {
    Process process(shell("setsid sleep 1000 & echo $!; wait"));
    ASSERT_TRUE(eventually([&] { return process.log_contains("\n"); }));
    grandchild = std::stoi(last_log_line(process));
    ASSERT_TRUE(alive(grandchild));
  }
  EXPECT_TRUE(eventually([&] { return !alive(grandchild); }));
}

TEST_F(ProcessTest, a_stopped_tree_is_silent_until_it_is_continued) {
  Process process(shell("(while true; do echo tick; sleep 0.01; done) & wait"));
  ASSERT_TRUE(eventually([&] { return process.log_contains("tick"); }));
  process.signal_tree(SIGSTOP);
  std::this_thread::sleep_for(milliseconds(50));
  const auto silent_at = std::filesystem::file_size(log_);
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_EQ(std::filesystem::file_size(log_), silent_at);
  process.signal_tree(SIGCONT);
  EXPECT_TRUE(eventually([&] { return std::filesystem::file_size(log_) > silent_at; }));
}

TEST_F(ProcessTest, a_child_does_not_outlive_a_test_program_that_is_killed) {
  const std::filesystem::path pid_file = dir_.path() / "pid";
  const pid_t program = fork();
  if (program == 0) {
    const Process child(shell("echo $$ >" + pid_file.native() + ".new; mv " + pid_file.native() +
                              ".new " + pid_file.native() + "; sleep 1000"));
    pause();
  }
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(pid_file); }));
  pid_t child = 0;
  std::ifstream(pid_file) >> child;
  kill(program, SIGKILL);
  EXPECT_TRUE(eventually([&] { return !alive(child); }));
  int status = 0;
  waitpid(program, &status, 0);
}

TEST_F(ProcessTest, a_command_that_fails_throws_its_output) {
  EXPECT_THAT(
      [] {
        command_output({"bash", "-c", "echo oops; exit 4"});
      },
      ThrowsMessage<std::runtime_error>(
          ::testing::AllOf(HasSubstr("status 4"), HasSubstr("oops"))));
  EXPECT_EQ(command_output({"echo", "fine"}), "fine\n");
}

}  // namespace
}  // namespace stock::support

#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "absl/status/statusor.h"
#include "google/protobuf/message.h"
#include "stockctl/cli/cli11.h"
#include "stockctl/cli/exit_code.h"
#include "stockctl/rpc/client.h"
#include "stockctl/text/terminal.h"

namespace stockctl {

// One run of the program: its global options, where it writes, and how it ends. Outlives the
// command line that fills it.
class Session {
 public:
  Session(std::ostream& out, std::ostream& err) : out_(out), err_(err) {}

  // Connects when first asked for.
  Client& client();
  ClientOptions client_options() const;

  std::ostream& out() { return out_; }
  std::ostream& err() { return err_; }
  Terminal out_terminal() const;
  Terminal err_terminal() const;

  // The answer: as JSON if that was asked for, else as `print` shows it to people.
  void show(const google::protobuf::Message& answer,
            const std::function<void(std::ostream&, const Terminal&)>& print);
  // Says what went wrong; its exit code.
  ExitCode fail(const absl::Status& status);

  // Makes `command` what `app` does when it is on the command line.
  using Command = std::function<absl::StatusOr<ExitCode>()>;
  void on_command(CLI::App& app, Command command);

  std::string address;
  std::chrono::nanoseconds deadline{};
  bool json = false;
  bool no_color = false;
  ExitCode exit_code = kOk;

 private:
  std::ostream& out_;
  std::ostream& err_;
  std::unique_ptr<Client> client_;
};

}  // namespace stockctl

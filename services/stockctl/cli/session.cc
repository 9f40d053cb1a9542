#include "stockctl/cli/session.h"

#include <unistd.h>

#include <CLI/App.hpp>
#include <utility>

#include "stockctl/view/error_view.h"
#include "stockctl/view/json.h"

namespace stockctl {

ClientOptions Session::client_options() const { return {.address = address, .deadline = deadline}; }

Client& Session::client() {
  if (!client_) client_ = std::make_unique<Client>(client_options());
  return *client_;
}

Terminal Session::out_terminal() const {
  Terminal terminal = terminal_of(STDOUT_FILENO);
  terminal.color = terminal.color && !no_color;
  return terminal;
}

Terminal Session::err_terminal() const {
  Terminal terminal = terminal_of(STDERR_FILENO);
  terminal.color = terminal.color && !no_color;
  return terminal;
}

void Session::show(const google::protobuf::Message& answer,
                   const std::function<void(std::ostream&, const Terminal&)>& print) {
  if (json) {
    out_ << to_json(answer);
  } else {
    print(out_, out_terminal());
  }
}

ExitCode Session::fail(const absl::Status& status) {
  if (json) {
    print_error_json(err_, status);
  } else {
    print_error(err_, status, address, err_terminal());
  }
  return exit_code_of(status);
}

void Session::on_command(CLI::App& app, Command command) {
  app.callback([this, command = std::move(command)] {
    const absl::StatusOr<ExitCode> code = command();
    exit_code = code.ok() ? *code : fail(code.status());
  });
}

}  // namespace stockctl

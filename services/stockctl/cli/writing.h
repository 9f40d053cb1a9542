#pragma once

#include <ostream>
#include <string>

#include "stockctl/cli/session.h"
#include "stockctl/text/terminal.h"

namespace stockctl {

// How the commands that write end.

// A write without an answer may have been applied: says how to find out without doing it twice.
// `repeat` is the option that makes it the same write again, such as "--request-id 4f2c...".
void explain_repeating(Session& session, const absl::Status& status, const std::string& repeat);

// "request 4f2c...", "token ...".
void print_outcome(std::ostream& out, bool replayed, const std::string& request_id,
                   const std::string& token);

// Sends the write; shows what it left behind, as `print` does for people, or what went wrong.
template <typename Request, typename Print>
ExitCode write(Session& session, const Request& request, const std::string& repeat,
               const Print& print) {
  const auto response = session.client().call(request);
  if (!response.ok()) {
    const ExitCode code = session.fail(response.status());
    explain_repeating(session, response.status(), repeat);
    return code;
  }
  session.show(*response, [&](std::ostream& out, const Terminal& terminal) {
    print(out, *response, terminal);
    print_outcome(out, response->replayed(), response->request_id(), response->token());
  });
  return kOk;
}

// The same of a write that is told apart by its request_id.
template <typename Request, typename Print>
ExitCode write(Session& session, const Request& request, const Print& print) {
  return write(session, request, "--request-id " + request.context().request_id(), print);
}

}  // namespace stockctl

#pragma once

#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "stockctl/text/terminal.h"

namespace stockctl {

// What happened and what to do about it, with all that the server said: the fields it objects to,
// what is short, how fresh an answer could have been, and which layer failed.
void print_error(std::ostream& err, const absl::Status& status, const std::string& address,
                 const Terminal& terminal);

// The same for programs: a google.rpc.Status in proto JSON, the provenance among its details.
void print_error_json(std::ostream& err, const absl::Status& status);

}  // namespace stockctl

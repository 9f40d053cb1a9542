#include "stockctl/view/error_view.h"

#include <string_view>

#include "stockctl/rpc/error_details.h"
#include "stockctl/text/concat.h"
#include "stockctl/text/format.h"
#include "stockctl/text/utf8.h"
#include "stockctl/view/json.h"
#include "stockctl/view/proto_time.h"
#include "stockctl/view/provenance_view.h"

namespace stockctl {
namespace {

// The location that a refused write names, or a stand-in.
std::string location_in(const ErrorDetails& details) {
  for (const auto& violation : details.precondition.violations()) {
    const std::size_t at = violation.subject().rfind('@');
    if (at != std::string::npos) return printable(violation.subject().substr(at + 1));
  }
  return "ID";
}

// What the person can do. Empty when the message says it all.
std::string advice_for(const absl::Status& status, const ErrorDetails& details,
                       const std::string& address) {
  const std::string& reason = details.info.reason();
  if (reason == "STALENESS_BOUND_UNMET") {
    return "Ask for a wider --max-staleness, or take what there is with --allow-stale.";
  }
  if (reason == "INSUFFICIENT_STOCK") return "Nothing was changed.";
  if (reason == "COMPARE_FAILED") {
    return "Nothing was changed. Look at it again: stockctl get, stockctl reservations ID.";
  }
  if (reason == "RESERVATION_NOT_FOUND") return "See which there are: stockctl reservations.";
  if (reason == "RESERVATION_EXISTS") {
    return "It was made with other units, another time, reason, reference or actor. Use\n"
           "another --id or none.";
  }
  if (reason == "LOCATION_NOT_FOUND") {
    return concat("See stockctl locations, or create it: stockctl locations create '",
                  location_in(details), "' --display-name NAME");
  }
  if (reason == "VERSION_NOT_FOUND") return "See which there are: stockctl history.";
  if (reason == "TOKEN_MALFORMED" || reason == "TOKEN_OF_ANOTHER_LEDGER") {
    return "Commands that write print the token of their write, such as stockctl adjust.";
  }
  if (reason == "REQUEST_ID_REUSED") {
    return "It was used for another change, or with another reason, reference or actor. Use\n"
           "another --request-id or none; to import a file once more: --again.";
  }
  if (details.retry_delay) {
    return concat("Try again in ", format_duration(*details.retry_delay), ".");
  }
  if (absl::IsUnavailable(status) && !details.present) {
    return concat("Is stockd listening at ", address,
                  "? Name another with --address or STOCKCTL_ADDRESS.");
  }
  if (absl::IsDeadlineExceeded(status)) return "Allow more time with --deadline.";
  if (absl::IsUnimplemented(status)) return "The server does not have this method; is it older?";
  return "";
}

// Our own messages may have several lines.
std::string printable_lines(std::string_view text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return printable(text);
  return concat(printable(text.substr(0, end)), '\n', printable_lines(text.substr(end + 1)));
}

}  // namespace

void print_error(std::ostream& err, const absl::Status& status, const std::string& address,
                 const Terminal& terminal) {
  const ErrorDetails details = details_of(status);
  const std::string_view message = message_of(status);
  err << styled("stockctl: ", Style::kRed, terminal)
      << (message.empty() ? absl::StatusCodeToString(status.code()) : printable_lines(message));
  if (!details.info.reason().empty()) err << " (" << printable(details.info.reason()) << ")";
  err << '\n';
  // The message tells the first of them.
  const auto print_violation = [&](const std::string& subject, const std::string& description) {
    if (message.find(description) != std::string_view::npos) return;
    err << "  " << printable(subject) << ": " << printable(description) << '\n';
  };
  for (const auto& violation : details.bad_request.field_violations()) {
    print_violation(violation.field(), violation.description());
  }
  for (const auto& violation : details.precondition.violations()) {
    print_violation(violation.subject(), violation.description());
  }
  if (details.provenance && details.provenance->trail_size() > 0) {
    constexpr std::string_view kTrail = "  trail  ";
    err << kTrail;
    print_trail(err, *details.provenance, kTrail.size(), terminal);
  }
  const std::string advice = advice_for(status, details, address);
  if (!advice.empty()) err << advice << '\n';
}

void print_error_json(std::ostream& err, const absl::Status& status) {
  const ErrorDetails details = details_of(status);
  google::rpc::Status message;
  message.set_code(static_cast<int>(status.code()));
  message.set_message(printable(message_of(status)));
  const auto add = [&](const google::protobuf::Message& detail) {
    if (detail.ByteSizeLong() > 0) message.add_details()->PackFrom(detail);
  };
  add(details.info);
  add(details.bad_request);
  add(details.precondition);
  if (details.retry_delay) {
    google::rpc::RetryInfo retry;
    *retry.mutable_retry_delay() = to_proto(*details.retry_delay);
    add(retry);
  }
  if (details.provenance) add(*details.provenance);
  err << to_json(message);
}

}  // namespace stockctl

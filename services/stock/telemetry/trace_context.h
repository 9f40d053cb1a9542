#pragma once

// W3C trace context, as callers send it in `traceparent`. A pure function of the header's text.

#include <optional>
#include <string>
#include <string_view>

namespace stock::telemetry {

struct TraceContext {
  std::string trace_id;  // 32 lower-case hexadecimal digits, not all zero
  std::string span_id;   // 16, the caller's span
  bool sampled = false;

  friend bool operator==(const TraceContext&, const TraceContext&) = default;
};

// Empty where the text is not a valid `traceparent`: a request with a malformed one has no trace,
// as the standard asks. Versions after 00 are read by the fields that 00 defines.
// https://www.w3.org/TR/trace-context/#traceparent-header
std::optional<TraceContext> parse_traceparent(std::string_view text);

}  // namespace stock::telemetry

#include "stock/telemetry/trace_context.h"

#include <algorithm>

namespace stock::telemetry {
namespace {

// version "-" trace-id "-" parent-id "-" flags
constexpr std::size_t kTraceAt = 3;
constexpr std::size_t kSpanAt = 36;
constexpr std::size_t kFlagsAt = 53;
constexpr std::size_t kLength = 55;

int digit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_id(std::string_view text) {
  return is_hex(text) && text.find_first_not_of('0') != std::string_view::npos;
}

}  // namespace

std::optional<TraceContext> parse_traceparent(std::string_view text) {
  if (text.size() < kLength) {
    return std::nullopt;
  }
  const std::string_view version = text.substr(0, 2);
  const bool whole = text.size() == kLength || (version != "00" && text[kLength] == '-');
  if (!whole || !is_hex(version) || version == "ff" || text[kTraceAt - 1] != '-' ||
      text[kSpanAt - 1] != '-' || text[kFlagsAt - 1] != '-') {
    return std::nullopt;
  }
  const std::string_view trace_id = text.substr(kTraceAt, 32);
  const std::string_view span_id = text.substr(kSpanAt, 16);
  const std::string_view flags = text.substr(kFlagsAt, 2);
  if (!is_id(trace_id) || !is_id(span_id) || !is_hex(flags)) {
    return std::nullopt;
  }
  return TraceContext{.trace_id = std::string(trace_id),
                      .span_id = std::string(span_id),
                      .sampled = (digit(flags[1]) & 1) != 0};
}

}  // namespace stock::telemetry

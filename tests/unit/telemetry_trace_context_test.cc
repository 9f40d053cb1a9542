#include <gtest/gtest.h>

#include <string>

#include "stock/telemetry/trace_context.h"

namespace stock::telemetry {
namespace {

const std::string kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
const std::string kSpan = "00f067aa0ba902b7";

TEST(TelemetryTraceContext, a_traceparent_names_trace_span_and_sampling) {
  const auto trace = parse_traceparent("00-" + kTrace + "-" + kSpan + "-01");
  EXPECT_EQ(trace, (TraceContext{.trace_id = kTrace, .span_id = kSpan, .sampled = true}));
  EXPECT_FALSE(parse_traceparent("00-" + kTrace + "-" + kSpan + "-fe")->sampled);
}

TEST(TelemetryTraceContext, a_later_version_may_say_more) {
  EXPECT_TRUE(parse_traceparent("cc-" + kTrace + "-" + kSpan + "-01-what-else"));
  EXPECT_TRUE(parse_traceparent("cc-" + kTrace + "-" + kSpan + "-01"));
  EXPECT_FALSE(parse_traceparent("cc-" + kTrace + "-" + kSpan + "-01x"));
  EXPECT_FALSE(parse_traceparent("00-" + kTrace + "-" + kSpan + "-01-what-else"));
}

TEST(TelemetryTraceContext, anything_malformed_is_no_trace) {
  const std::string zeros(32, '0');
  for (const std::string& bad : {
           std::string(),
           "00-" + kTrace + "-" + kSpan + "-0",
           "ff-" + kTrace + "-" + kSpan + "-01",
           "0x-" + kTrace + "-" + kSpan + "-01",
           "00-" + zeros + "-" + kSpan + "-01",
           "00-" + kTrace + "-" + zeros.substr(16) + "-01",
           "00-" + kTrace.substr(1) + "G-" + kSpan + "-01",
           "00-4BF92F3577B34DA6A3CE929D0E0E4736-" + kSpan + "-01",
           "00_" + kTrace + "-" + kSpan + "-01",
           "00-" + kTrace + "-" + kSpan + "-g1",
       }) {
    EXPECT_FALSE(parse_traceparent(bad)) << bad;
  }
}

}  // namespace
}  // namespace stock::telemetry

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "stock/telemetry/log.h"
#include "stock/telemetry/trace_context.h"
#include "support/manual_clock.h"

namespace stock::telemetry {
namespace {

using nlohmann::json;
using std::chrono::seconds;

// The log goes through a pipe, as it does under a supervisor.
class TelemetryLog : public testing::Test {
 protected:
  TelemetryLog() {
    EXPECT_EQ(pipe(pipe_), 0);
    fcntl(pipe_[0], F_SETFL, O_NONBLOCK);
    init_log(LogLevel::kInfo, pipe_[1]);
  }
  ~TelemetryLog() override {
    init_log(LogLevel::kInfo);
    close(pipe_[0]);
    if (pipe_[1] >= 0) close(pipe_[1]);
  }

  std::string read_all() {
    std::string text;
    char buffer[4096];
    for (ssize_t got; (got = read(pipe_[0], buffer, sizeof(buffer))) > 0;) {
      text.append(buffer, static_cast<std::size_t>(got));
    }
    return text;
  }

  // Every line must be a JSON object.
  std::vector<json> lines() {
    std::vector<json> lines;
    const std::string text = read_all();
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = text.find('\n', at);
      lines.push_back(json::parse(text.substr(at, end - at)));
      at = end + 1;
    }
    return lines;
  }

  int pipe_[2];
};

TEST_F(TelemetryLog, a_line_is_one_json_object_with_its_fields_in_order) {
  log_info("listening", {{"port", 7070}, {"layer", "redis"}, {"share", 0.5}, {"tls", false}});
  const std::string text = read_all();
  EXPECT_TRUE(text.ends_with(
      R"(Z","level":"info","msg":"listening","port":7070,"layer":"redis","share":0.5,"tls":false})"
      "\n"))
      << text;
  const std::string stamp = json::parse(text)["ts"];
  EXPECT_EQ(stamp.size(), std::string("2026-11-24T04:14:23.123456Z").size()) << stamp;
  EXPECT_EQ(stamp[10], 'T');
  EXPECT_EQ(stamp[19], '.');
}

TEST_F(TelemetryLog, nothing_that_is_logged_can_forge_a_line_or_a_field) {
  log_warn("a\nb\r\t\x01\"}{\\", {{"sku", "\",\"level\":\"error\n"}, {"level", "error"}});
  const auto all = lines();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0]["msg"], "a\nb\r\t\x01\"}{\\");
  EXPECT_EQ(all[0]["level"], "warn");
  EXPECT_EQ(all[0]["sku"], "\",\"level\":\"error\n");
}

TEST_F(TelemetryLog, bytes_that_are_not_utf8_are_replaced) {
  log_info("\xff\xc3(", {{"key", std::string("\0\xe2\x82", 3)}});
  const auto all = lines();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0]["msg"], "\xef\xbf\xbd\xef\xbf\xbd(");
}

TEST_F(TelemetryLog, levels_below_the_chosen_one_are_silent) {
  log_debug("no");
  log_error("yes");
  init_log(LogLevel::kError, pipe_[1]);
  log_warn("no");
  const auto all = lines();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0]["msg"], "yes");
}

TEST_F(TelemetryLog, a_trace_is_named_when_given) {
  const TraceContext trace{.trace_id = "4bf92f3577b34da6a3ce929d0e0e4736",
                           .span_id = "00f067aa0ba902b7",
                           .sampled = true};
  log_info("with", {{"n", 1}}, &trace);
  log_info("without");
  const auto all = lines();
  EXPECT_EQ(all[0]["trace_id"], trace.trace_id);
  EXPECT_EQ(all[0]["span_id"], trace.span_id);
  EXPECT_FALSE(all[1].contains("trace_id"));
}

TEST_F(TelemetryLog, braces_in_a_message_are_only_text) {
  log_info("{} {0} {x");
  EXPECT_EQ(lines()[0]["msg"], "{} {0} {x");
}

TEST_F(TelemetryLog, a_log_that_nobody_reads_stops_nobody_and_tells_what_is_missing) {
  const std::string filler(1000, 'x');
  const auto begin = std::chrono::steady_clock::now();
  constexpr int kLines = 1000;  // far more than a pipe holds
  for (int i = 0; i < kLines; ++i) {
    log_info(filler);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(5));
  const auto kept = lines();
  log_info("after");
  const auto rest = lines();
  ASSERT_EQ(rest.size(), 2U);
  EXPECT_EQ(rest[0]["msg"],
            std::to_string(kLines - kept.size()) + " log lines dropped: nobody read them");
  EXPECT_EQ(rest[1]["msg"], "after");
}

TEST_F(TelemetryLog, a_long_line_torn_by_a_full_pipe_spoils_no_other) {
  log_info(std::string(200'000, 'x'));
  const std::string torn = read_all();
  EXPECT_FALSE(torn.empty());
  log_info("after");
  const std::string text = read_all();
  EXPECT_TRUE(text.starts_with("\n{")) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
}

TEST_F(TelemetryLog, a_closed_reader_ends_nothing) {
  close(pipe_[0]);
  pipe_[0] = open("/dev/null", O_RDONLY);
  log_info("into the void");
}

TEST_F(TelemetryLog, lines_of_many_threads_do_not_mix) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([i] {
      for (int n = 0; n < 50; ++n) log_info("line", {{"thread", i}, {"n", n}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(lines().size(), 200U);
}

TEST(TelemetryLogEvery, admits_one_per_period_and_counts_the_others) {
  support::ManualClock clock;
  LogEvery every(clock, seconds(10));
  EXPECT_EQ(every.admit(), 0);
  clock.advance(seconds(1));
  EXPECT_EQ(every.admit(), std::nullopt);
  clock.advance(seconds(8));
  EXPECT_EQ(every.admit(), std::nullopt);
  clock.advance(seconds(1));
  EXPECT_EQ(every.admit(), 2);
  clock.advance(seconds(10));
  EXPECT_EQ(every.admit(), 0);
}

TEST(TelemetryLogLevel, is_read_by_name) {
  EXPECT_EQ(parse_log_level("debug"), LogLevel::kDebug);
  EXPECT_EQ(parse_log_level("error"), LogLevel::kError);
  EXPECT_EQ(parse_log_level("ERROR"), std::nullopt);
}

}  // namespace
}  // namespace stock::telemetry

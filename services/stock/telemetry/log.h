#pragma once

// The process's log: one JSON object per line on standard error.
//
//   log_info("listening", {{"port", 7070}, {"layers", "memory,redis"}});
//   {"ts":"2026-11-24T04:14:23.123456Z","level":"info","msg":"listening","port":7070,...}
//
// The log is the one thing that the whole process shares without handing it around: whoever fails
// must be able to say so. (spdlog, underneath, keeps one logger per process in any case.) All may
// be called from any thread, never throws, and never waits long: when standard error is a pipe that
// nobody reads, lines are dropped, and their number is told when it moves again. Not for hot paths.

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "stock/clock/local_clock.h"
#include "stock/domain/time.h"

namespace stock::telemetry {

struct TraceContext;

enum class LogLevel { kDebug, kInfo, kWarn, kError };

// "debug", "info", "warn", "error"; empty for anything else.
std::optional<LogLevel> parse_log_level(std::string_view text);

// One more member of the line. `ts`, `level` and `msg` are taken. Text may hold any bytes: what is
// not UTF-8 comes out as U+FFFD.
struct Field {
  std::string_view key;
  std::variant<std::string, std::int64_t, double, bool> value;

  Field(std::string_view key, std::string text) : key(key), value(std::move(text)) {}
  Field(std::string_view key, std::string_view text) : key(key), value(std::string(text)) {}
  Field(std::string_view key, const char* text) : key(key), value(std::string(text)) {}
  Field(std::string_view key, std::same_as<bool> auto flag) : key(key), value(flag) {}
  Field(std::string_view key, std::floating_point auto number)
      : key(key), value(static_cast<double>(number)) {}
  template <std::integral Number>
  requires(!std::same_as<Number, bool>) Field(std::string_view key, Number number)
      : key(key), value(static_cast<std::int64_t>(number)) {}
};

using Fields = std::initializer_list<Field>;

// From here on lines of `level` and above go to the file `fd`, which is not closed. Before the
// first call: info, to standard error. Not while other threads may log.
void init_log(LogLevel level, int fd = 2);

// `trace`, where given, adds `trace_id` and `span_id`.
void log(LogLevel level, std::string_view message, Fields fields = {},
         const TraceContext* trace = nullptr);

inline void log_debug(std::string_view message, Fields fields = {},
                      const TraceContext* trace = nullptr) {
  log(LogLevel::kDebug, message, fields, trace);
}
inline void log_info(std::string_view message, Fields fields = {},
                     const TraceContext* trace = nullptr) {
  log(LogLevel::kInfo, message, fields, trace);
}
inline void log_warn(std::string_view message, Fields fields = {},
                     const TraceContext* trace = nullptr) {
  log(LogLevel::kWarn, message, fields, trace);
}
inline void log_error(std::string_view message, Fields fields = {},
                      const TraceContext* trace = nullptr) {
  log(LogLevel::kError, message, fields, trace);
}

// Keeps a message that may come a thousand times a second to one per period. One per call site: a
// member, or a static beside the call. Any thread may ask.
//
//   if (const auto suppressed = unreachable_.admit()) {
//     log_warn("redis is unreachable", {{"error", why}, {"suppressed", *suppressed}});
//   }
class LogEvery {
 public:
  // The clock outlives it.
  LogEvery(const clock::LocalClock& clock, std::chrono::nanoseconds period)
      : clock_(clock), period_(period) {}

  // May the message be logged now? If so, how many were not since the last one that was.
  std::optional<std::int64_t> admit();

 private:
  const clock::LocalClock& clock_;
  const std::chrono::nanoseconds period_;
  std::atomic<domain::LocalTime> next_{domain::LocalTime::min()};
  std::atomic<std::int64_t> suppressed_{0};
};

}  // namespace stock::telemetry

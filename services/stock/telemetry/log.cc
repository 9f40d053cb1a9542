#include "stock/telemetry/log.h"

#include <spdlog/formatter.h>
#include <spdlog/logger.h>
#include <spdlog/spdlog.h>

#include <array>
#include <cstdio>
#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>

#include "stock/telemetry/fd_sink.h"
#include "stock/telemetry/trace_context.h"

namespace stock::telemetry {
namespace {

using Json = nlohmann::ordered_json;

// spdlog formats a line on the thread that logs it, but carries no fields; so the call leaves them
// here for the formatter.
struct Extras {
  const Fields* fields = nullptr;
  const TraceContext* trace = nullptr;
};
thread_local Extras extras;

constexpr std::array kLevels = {
    std::pair{std::string_view("debug"), spdlog::level::debug},
    std::pair{std::string_view("info"), spdlog::level::info},
    std::pair{std::string_view("warn"), spdlog::level::warn},
    std::pair{std::string_view("error"), spdlog::level::err},
};

spdlog::level::level_enum spdlog_level(LogLevel level) {
  return kLevels[static_cast<std::size_t>(level)].second;
}

std::string_view level_name(spdlog::level::level_enum level) {
  for (const auto& [name, candidate] : kLevels) {
    if (level <= candidate) {
      return name;
    }
  }
  return "error";
}

// RFC 3339, UTC, microseconds.
std::string timestamp(spdlog::log_clock::time_point time) {
  using std::chrono::microseconds;
  using std::chrono::seconds;
  const auto second = std::chrono::floor<seconds>(time);
  const auto fraction = std::chrono::duration_cast<microseconds>(time - second).count();
  const std::time_t unix_time = spdlog::log_clock::to_time_t(second);
  std::tm utc{};
  gmtime_r(&unix_time, &utc);
  std::array<char, 40> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(text.data() + length, text.size() - length, ".%06dZ", static_cast<int>(fraction));
  return text.data();
}

class JsonLines final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    Json line;
    line["ts"] = timestamp(message.time);
    line["level"] = level_name(message.level);
    line["msg"] = std::string_view(message.payload.data(), message.payload.size());
    if (extras.trace != nullptr) {
      line["trace_id"] = extras.trace->trace_id;
      line["span_id"] = extras.trace->span_id;
    }
    if (extras.fields != nullptr) {
      for (const Field& field : *extras.fields) {
        // `emplace` keeps what is there: no field passes for the message or its time.
        std::visit([&](const auto& value) { line.emplace(field.key, value); }, field.value);
      }
    }
    // Bytes that are not UTF-8 are replaced, control characters escaped: one line stays one line.
    const std::string text = line.dump(-1, ' ', false, Json::error_handler_t::replace);
    out.append(text.data(), text.data() + text.size());
    out.push_back('\n');
  }

  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<JsonLines>();
  }
};

std::shared_ptr<spdlog::logger> make_logger(LogLevel level, int fd) {
  auto sink = std::make_shared<FdSink>(fd);
  sink->set_formatter(std::make_unique<JsonLines>());
  auto logger = std::make_shared<spdlog::logger>("stock", std::move(sink));
  logger->set_level(spdlog_level(level));
  return logger;
}

}  // namespace

std::optional<LogLevel> parse_log_level(std::string_view text) {
  for (std::size_t i = 0; i < kLevels.size(); ++i) {
    if (kLevels[i].first == text) {
      return static_cast<LogLevel>(i);
    }
  }
  return std::nullopt;
}

void init_log(LogLevel level, int fd) { spdlog::set_default_logger(make_logger(level, fd)); }

void log(LogLevel level, std::string_view message, Fields fields, const TraceContext* trace) {
  // Only the very first line finds no logger of ours.
  static const bool ready = [] {
    if (spdlog::default_logger_raw()->name() != "stock") {
      init_log(LogLevel::kInfo);
    }
    return true;
  }();
  static_cast<void>(ready);
  extras = {.fields = &fields, .trace = trace};
  // A string_view is logged as it is; spdlog swallows whatever formatting or writing may throw.
  spdlog::default_logger_raw()->log(spdlog_level(level), message);
  extras = {};
}

std::optional<std::int64_t> LogEvery::admit() {
  const domain::LocalTime now = clock_.now();
  domain::LocalTime next = next_.load(std::memory_order_relaxed);
  // Of several threads that find the period over, one moves it on and logs.
  if (now < next ||
      !next_.compare_exchange_strong(next, now + period_, std::memory_order_relaxed)) {
    suppressed_.fetch_add(1, std::memory_order_relaxed);
    return std::nullopt;
  }
  return suppressed_.exchange(0, std::memory_order_relaxed);
}

}  // namespace stock::telemetry

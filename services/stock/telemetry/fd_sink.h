#pragma once

// Where log lines leave the process: a spdlog sink that never blocks for long.
//
// A pipe that nobody reads would otherwise stop every thread that logs, and with them the service.
// Lines that do not fit are dropped and counted; the next one that fits is preceded by the count.

#include <spdlog/sinks/base_sink.h>

#include <cstdint>
#include <mutex>
#include <string_view>

namespace stock::telemetry {

class FdSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  // `fd` is borrowed.
  explicit FdSink(int fd) : fd_(fd) {}

 private:
  // Both are called under the sink's mutex.
  void sink_it_(const spdlog::details::log_msg& message) override;
  void flush_() override {}

  bool write_line(std::string_view line);
  bool writable() const;
  void tell_dropped();

  const int fd_;
  std::int64_t dropped_ = 0;
  bool torn_ = false;  // the last line was written in part only
};

}  // namespace stock::telemetry

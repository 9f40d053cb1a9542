// A server of flagd's evaluation protocol that says what a test wants, and misbehaves as it wants:
// on a port of loopback, within the test program. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "flagd/evaluation/v1/evaluation.pb.h"

namespace stock::support {

class FakeFlagd {
 public:
  // What it says to a cohort (empty: to nobody in particular) of a SKU at a location.
  using Flags = std::function<flagd::evaluation::v1::ResolveAllResponse(
      const std::string& cohort, const std::string& sku, const std::string& location)>;

  // On any free port.
  explicit FakeFlagd(Flags flags);
  ~FakeFlagd();
  FakeFlagd(const FakeFlagd&) = delete;
  FakeFlagd& operator=(const FakeFlagd&) = delete;

  [[nodiscard]] std::uint16_t port() const;
  [[nodiscard]] std::string address() const;

  // From now on it says this, and tells those who follow it.
  void set(Flags flags);
  // The same, and does not tell.
  void set_quietly(Flags flags);
  // An event of this type to all who follow.
  void send(const std::string& type);
  // From now on each evaluation takes so long.
  void delay(std::chrono::milliseconds time);
  // From now on each evaluation of a cohort fails with this code of gRPC (0: none does).
  void fail(int code);
  // Ends all streams of events; they may come back.
  void end_streams();

  // Evaluations on behalf of a cohort, and streams that are open.
  [[nodiscard]] int evaluations() const;
  [[nodiscard]] int streams() const;

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

// Answers of it.
void say(flagd::evaluation::v1::ResolveAllResponse& response, const std::string& flag, bool value,
         const std::string& variant, const std::string& reason = "TARGETING_MATCH");
void say(flagd::evaluation::v1::ResolveAllResponse& response, const std::string& flag, double value,
         const std::string& variant, const std::string& reason = "TARGETING_MATCH");

}  // namespace stock::support

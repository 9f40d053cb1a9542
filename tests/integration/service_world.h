// What tests of the whole service share: the servers, started once per suite, and a location.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "support/eventually.h"
#include "support/fsck.h"
#include "support/postgres_server.h"
#include "support/redis_server.h"
#include "support/stock_client.h"
#include "support/stockd_process.h"

namespace stock {

using namespace std::chrono_literals;
using support::at_most;
using support::eventually;
using support::fully_consistent;
using support::StockClient;
using support::StockdProcess;
using support::trail_of;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::Eq;
using ::testing::Ge;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr int kCancelled = 1;
constexpr int kInvalidArgument = 3;
constexpr int kDeadlineExceeded = 4;
constexpr int kNotFound = 5;
constexpr int kAlreadyExists = 6;
constexpr int kResourceExhausted = 8;
constexpr int kFailedPrecondition = 9;
constexpr int kAborted = 10;
constexpr int kUnavailable = 14;

// A value of /metrics, by its whole name with labels; 0 where there is none.
inline double metric_on(const std::string& page, const std::string& series) {
  const std::string lines = "\n" + page;
  const auto at = lines.find("\n" + series + " ");
  if (at == std::string::npos) return 0;
  return std::stod(lines.substr(at + series.size() + 2));
}
inline double metric(const StockdProcess& stockd, const std::string& series) {
  return metric_on(stockd.get("/metrics").body, series);
}

class ServiceTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    primary_ = std::make_unique<support::PostgresServer>();
    replica_ = std::make_unique<support::PostgresReplica>(primary_->port());
    redis_ = std::make_unique<support::RedisServer>();
  }
  static void TearDownTestSuite() {
    redis_.reset();
    replica_.reset();
    support::expect_sound_ledger(*primary_);
    primary_.reset();
  }

  static StockdProcess::Options all_layers(std::vector<std::string> flags = {}) {
    return {.primary_url = primary_->url(),
            .replica_url = replica_->url("stock_reader"),
            .redis_url = redis_->url(),
            .flags = patient(std::move(flags))};
  }
  static StockdProcess::Options primary_only(std::vector<std::string> flags = {}) {
    return {.primary_url = primary_->url(), .flags = patient(std::move(flags))};
  }

  // Waits until redis is asked for what is read and told of what is written: no process waits at
  // its start for that to be connected, and what is told is dated by a heartbeat of the feed.
  static void await_redis(const StockdProcess& stockd) {
    ASSERT_TRUE(
        eventually([&] { return metric(stockd, R"(stock_layer_up{layer="redis"})"); }, Eq(1)));
    ASSERT_TRUE(eventually([&] { return metric(stockd, "stock_feed_watermark_timestamp_seconds"); },
                           Gt(0)));
  }

  static support::PostgresServer& primary() { return *primary_; }
  static support::PostgresReplica& replica() { return *replica_; }
  static support::RedisServer& redis() { return *redis_; }

 private:
  // A layer that is slow because the machine is has not failed. A test of what becomes of slow
  // layers says itself how long they may take: of what is said twice, the last counts.
  static std::vector<std::string> patient(std::vector<std::string> flags) {
    flags.insert(flags.begin(), {"--redis-timeout", "10s", "--replica-timeout", "10s",
                                 "--primary-timeout", "10s"});
    return flags;
  }

  static inline std::unique_ptr<support::PostgresServer> primary_;
  static inline std::unique_ptr<support::PostgresReplica> replica_;
  static inline std::unique_ptr<support::RedisServer> redis_;
};

}  // namespace stock

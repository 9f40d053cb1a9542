// What tests of the whole service share: the servers, started once per suite, and a location.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "support/eventually.h"
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
constexpr int kNotFound = 5;
constexpr int kAlreadyExists = 6;
constexpr int kFailedPrecondition = 9;
constexpr int kAborted = 10;
constexpr int kUnavailable = 14;

// A value of /metrics, by its whole name with labels; 0 where there is none.
inline double metric(const StockdProcess& stockd, const std::string& series) {
  const std::string page = "\n" + stockd.get("/metrics").body;
  const auto at = page.find("\n" + series + " ");
  if (at == std::string::npos) return 0;
  return std::stod(page.substr(at + series.size() + 2));
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
    primary_.reset();
  }

  static StockdProcess::Options all_layers(std::vector<std::string> flags = {}) {
    return {.primary_url = primary_->url(),
            .replica_url = replica_->url("stock_reader"),
            .redis_url = redis_->url(),
            .flags = std::move(flags)};
  }
  static StockdProcess::Options primary_only(std::vector<std::string> flags = {}) {
    return {.primary_url = primary_->url(), .flags = std::move(flags)};
  }

  static support::PostgresServer& primary() { return *primary_; }
  static support::PostgresReplica& replica() { return *replica_; }
  static support::RedisServer& redis() { return *redis_; }

 private:
  static inline std::unique_ptr<support::PostgresServer> primary_;
  static inline std::unique_ptr<support::PostgresReplica> replica_;
  static inline std::unique_ptr<support::RedisServer> redis_;
};

}  // namespace stock

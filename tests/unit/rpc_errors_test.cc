#include <gtest/gtest.h>

#include "google/rpc/status.pb.h"
#include "stock/rpc/errors.h"

namespace stock::rpc {
namespace {

template <typename Detail>
std::optional<Detail> detail_of(const grpc::Status& status) {
  google::rpc::Status all;
  EXPECT_TRUE(all.ParseFromString(status.error_details()));
  for (const auto& any : all.details()) {
    Detail detail;
    if (any.UnpackTo(&detail)) return detail;
  }
  return std::nullopt;
}

TEST(ErrorsTest, every_error_carries_its_reason_and_domain) {
  const auto info =
      detail_of<google::rpc::ErrorInfo>(to_status(bad_field("key.sku", "is missing")));
  ASSERT_TRUE(info);
  EXPECT_EQ(info->domain(), "stock.v1");
  EXPECT_EQ(info->reason(), "INVALID_FIELD");
}

TEST(ErrorsTest, a_bad_field_is_named) {
  const grpc::Status status = to_status(bad_field("lines[3].key.sku", "is missing"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "lines[3].key.sku: is missing");
  EXPECT_EQ(detail_of<google::rpc::BadRequest>(status)->field_violations(0).field(),
            "lines[3].key.sku");
}

TEST(ErrorsTest, a_full_queue_says_when_to_come_back) {
  const grpc::Status status =
      to_status(refused({.reason = ledger::Reason::kQueueFull, .message = "full"}));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(detail_of<google::rpc::ErrorInfo>(status)->reason(), "WRITE_QUEUE_FULL");
  EXPECT_GT(detail_of<google::rpc::RetryInfo>(status)->retry_delay().nanos(), 0);
}

TEST(ErrorsTest, each_refusal_has_the_code_that_the_api_promises) {
  using ledger::Reason;
  const std::map<Reason, std::pair<grpc::StatusCode, std::string>> promised = {
      {Reason::kInsufficientStock, {grpc::StatusCode::FAILED_PRECONDITION, "INSUFFICIENT_STOCK"}},
      {Reason::kCompareFailed, {grpc::StatusCode::ABORTED, "COMPARE_FAILED"}},
      {Reason::kLocationNotFound, {grpc::StatusCode::NOT_FOUND, "LOCATION_NOT_FOUND"}},
      {Reason::kRequestIdReused, {grpc::StatusCode::INVALID_ARGUMENT, "REQUEST_ID_REUSED"}},
      {Reason::kLedgerUnfit, {grpc::StatusCode::FAILED_PRECONDITION, "LEDGER_UNFIT"}},
      {Reason::kUnavailable, {grpc::StatusCode::UNAVAILABLE, "BACKEND_UNAVAILABLE"}},
      {Reason::kOverloaded, {grpc::StatusCode::RESOURCE_EXHAUSTED, "BACKEND_BUSY"}},
  };
  for (const auto& [reason, expected] : promised) {
    const grpc::Status status = to_status(refused({.reason = reason, .message = "m"}));
    EXPECT_EQ(status.error_code(), expected.first);
    EXPECT_EQ(detail_of<google::rpc::ErrorInfo>(status)->reason(), expected.second);
  }
}

// Beyond 8 KB of metadata a client sees RESOURCE_EXHAUSTED and nothing else.
TEST(ErrorsTest, however_many_lines_are_short_the_details_stay_small) {
  ledger::Refusal refusal{.reason = ledger::Reason::kInsufficientStock,
                          .message = std::string(5000, 'm')};
  for (int i = 0; i < 1000; ++i) {
    refusal.lines.push_back(
        {{std::string(64, 's'), std::string(64, 'l')}, 1, std::string(2000, 'x')});
  }
  const grpc::Status status = to_status(refused(refusal));
  EXPECT_LT(status.error_details().size() + status.error_message().size(), 5000U);
  EXPECT_GT(detail_of<google::rpc::PreconditionFailure>(status)->violations_size(), 0);
  EXPECT_EQ(detail_of<google::rpc::ErrorInfo>(status)->metadata().at("violations"), "1000");
}

TEST(ErrorsTest, a_clipped_message_is_still_utf8) {
  std::string message;
  for (int i = 0; i < 400; ++i) message += "ü";
  Failure failure{.code = grpc::StatusCode::INTERNAL, .message = "x" + message};
  const std::string clipped = to_status(failure).error_message();
  EXPECT_EQ(clipped.substr(clipped.size() - 5), "ü…");
}

}  // namespace
}  // namespace stock::rpc

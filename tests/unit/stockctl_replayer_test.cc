// Import and replay against a service in this process that is as unreliable as they must bear.

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "stock/v1/stock_service.grpc.pb.h"
#include "stockctl/load/importer.h"
#include "stockctl/load/replayer.h"

namespace stockctl {
namespace {

using std::chrono::milliseconds;

// Keeps counts in a map. Fails some of the calls, before or after it has applied them.
class UnreliableService : public stock::v1::StockService::Service {
 public:
  grpc::Status AdjustStock(grpc::ServerContext*, const stock::v1::AdjustStockRequest* request,
                           stock::v1::AdjustStockResponse* response) override {
    const std::lock_guard lock(mutex_);
    const bool fails = reliable_after_ > 0 && --reliable_after_ >= 0 && random_() % 3 == 0;
    if (fails && random_() % 2 == 0) return {grpc::StatusCode::RESOURCE_EXHAUSTED, "queue full"};
    const stock::v1::Adjustment& line = request->lines(0);
    if (applied_.contains(request->context().request_id())) {
      response->set_replayed(true);
    } else if (on_hand_[line.key().sku()] + line.on_hand_delta() < 0) {
      return {grpc::StatusCode::FAILED_PRECONDITION, "short"};
    } else {
      on_hand_[line.key().sku()] += line.on_hand_delta();
      applied_.insert(request->context().request_id());
      references_[line.key().sku()].push_back(request->context().reference());
    }
    if (fails) return {grpc::StatusCode::UNAVAILABLE, "the answer is lost"};
    return grpc::Status::OK;
  }

  grpc::Status ImportStockLevels(grpc::ServerContext*,
                                 const stock::v1::ImportStockLevelsRequest* request,
                                 stock::v1::ImportStockLevelsResponse* response) override {
    const std::lock_guard lock(mutex_);
    response->set_replayed(!applied_.insert(request->context().request_id()).second);
    for (const stock::v1::ImportRow& row : request->rows()) {
      on_hand_[row.key().sku()] = row.on_hand();
    }
    response->set_changed(request->rows_size());
    return grpc::Status::OK;
  }

  // The next calls fail now and then.
  void fail_calls(int calls) {
    const std::lock_guard lock(mutex_);
    reliable_after_ = calls;
  }

  // Before a call and after its answer as well: gRPC orders them, but not so that ThreadSanitizer
  // sees it.
  std::mutex mutex_;
  std::mt19937 random_{3};
  int reliable_after_ = 0;
  std::set<std::string> applied_;
  std::map<std::string, std::int64_t> on_hand_;
  std::map<std::string, std::vector<std::string>> references_;
};

class StockctlLoad : public testing::Test {
 protected:
  StockctlLoad() {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    client_ = {.address = "127.0.0.1:" + std::to_string(port), .deadline = std::chrono::seconds(5)};
  }

  // The seven SKUs, with so many pieces each.
  void fill(std::int64_t on_hand) {
    const std::lock_guard lock(service_.mutex_);
    for (int sku = 0; sku < 7; ++sku) service_.on_hand_["SKU-" + std::to_string(sku)] = on_hand;
  }

  // Line i sells one piece of one of seven SKUs on invoice i.
  static Sales sales(int lines) {
    Sales sales;
    for (int i = 0; i < lines; ++i) {
      sales.lines.push_back({.time = std::chrono::sys_seconds(std::chrono::seconds(i)),
                             .quantity = 1,
                             .line = i + 2,
                             .key = sales.keys.number_of("SKU-" + std::to_string(i * i % 7), "LON"),
                             .invoice = sales.invoices.number_of(std::to_string(i))});
    }
    return sales;
  }

  ReplaySummary replay(const Sales& sales) {
    std::ostringstream err;
    Progress progress(err, {}, "replay", "lines", 1, Progress::Clock::now());
    const ReplayOptions options{.digest = {},
                                .words = "test",
                                .actor = "test",
                                .in_flight = 16,
                                .speed = std::nullopt,
                                .retry_for = std::chrono::seconds(30)};
    return Replayer(client_, sales, options, refused_, bad_).run(progress);
  }

  UnreliableService service_;
  std::unique_ptr<grpc::Server> server_;
  ClientOptions client_;
  LineReport refused_{"f", "refused", [](std::string_view) {}};
  LineReport bad_{"f", "bad", [](std::string_view) {}};
};

TEST_F(StockctlLoad, each_line_is_applied_once_and_in_order_of_its_key_whatever_fails) {
  constexpr int kLines = 400;
  fill(kLines);
  service_.fail_calls(600);
  const Sales sold = sales(kLines);
  const ReplaySummary summary = replay(sold);
  EXPECT_TRUE(summary.stopped.ok()) << summary.stopped;
  EXPECT_EQ(summary.done(), kLines);
  EXPECT_GT(summary.retries, 0);
  {
    const std::lock_guard lock(service_.mutex_);
    std::int64_t left = 0;
    for (const auto& [sku, count] : service_.on_hand_) left += count;
    EXPECT_EQ(left, 7 * kLines - kLines);
    for (const auto& [sku, references] : service_.references_) {
      for (std::size_t i = 1; i < references.size(); ++i) {
        EXPECT_LT(std::stoi(references[i - 1]), std::stoi(references[i])) << sku;
      }
    }
  }

  const ReplaySummary again = replay(sold);
  EXPECT_EQ(again.applied, 0);
  EXPECT_EQ(again.already_applied, kLines);
}

TEST_F(StockctlLoad, refused_lines_are_counted_and_the_rest_goes_on) {
  fill(2);
  const ReplaySummary summary = replay(sales(70));
  EXPECT_TRUE(summary.stopped.ok());
  // i * i % 7 is one of four numbers.
  EXPECT_EQ(summary.applied, 8);
  EXPECT_EQ(refused_.count(), 62);
}

TEST_F(StockctlLoad, a_server_that_stays_away_stops_the_replay) {
  server_->Shutdown();
  std::ostringstream err;
  Progress progress(err, {}, "replay", "lines", 1, Progress::Clock::now());
  const Sales sold = sales(70);
  const ReplayOptions options{.digest = {},
                              .words = "test",
                              .actor = "test",
                              .in_flight = 16,
                              .speed = std::nullopt,
                              .retry_for = milliseconds(200)};
  const ReplaySummary summary = Replayer(client_, sold, options, refused_, bad_).run(progress);
  EXPECT_TRUE(absl::IsUnavailable(summary.stopped)) << summary.stopped;
  EXPECT_EQ(summary.done(), 0);
}

TEST_F(StockctlLoad, an_import_sends_chunks_and_knows_those_that_were_applied) {
  StockTable stock;
  for (int i = 0; i < 2'500; ++i) {
    stock.rows.push_back({.on_hand = i,
                          .safety_stock = std::nullopt,
                          .line = i + 2,
                          .key = stock.keys.number_of("SKU-" + std::to_string(i), "LON")});
  }
  Client client(client_);
  const ImportOptions options{
      .digest = {}, .words = "test", .context = {}, .retry_for = std::chrono::seconds(1)};
  std::ostringstream err;
  Progress progress(err, {}, "import", "rows", 2'500, Progress::Clock::now());
  const ImportSummary first = import_levels(client, stock, options, bad_, progress);
  EXPECT_EQ(first.changed, 2'500);
  {
    const std::lock_guard lock(service_.mutex_);
    EXPECT_EQ(service_.applied_.size(), 3u);
    EXPECT_EQ(service_.on_hand_["SKU-2499"], 2'499);
  }
  const ImportSummary second = import_levels(client, stock, options, bad_, progress);
  EXPECT_EQ(second.already_applied, 2'500);
  EXPECT_EQ(second.changed, 0);
}

}  // namespace
}  // namespace stockctl

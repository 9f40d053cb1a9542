// Import and replay against a service in this process that is as unreliable as they must bear.

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "google/rpc/status.pb.h"
#include "stock/v1/stock_service.grpc.pb.h"
#include "stockctl/load/importer.h"
#include "stockctl/load/replayer.h"

namespace stockctl {
namespace {

using std::chrono::milliseconds;

// Keeps counts and reservations in maps. Fails some of the calls, before or after it has applied
// them.
class UnreliableService : public stock::v1::StockService::Service {
 public:
  grpc::Status AdjustStock(grpc::ServerContext*, const stock::v1::AdjustStockRequest* request,
                           stock::v1::AdjustStockResponse* response) override {
    return write(request->context(), *response, [&] {
      for (const auto& line : request->lines()) {
        on_hand_[line.key().sku()] += line.on_hand_delta();
        booked_[line.key().sku()].push_back(request->context().reference());
      }
      return grpc::Status::OK;
    });
  }

  grpc::Status CreateReservation(grpc::ServerContext*,
                                 const stock::v1::CreateReservationRequest* request,
                                 stock::v1::CreateReservationResponse* response) override {
    const grpc::Status status = write(request->context(), *response, [&] {
      for (const auto& line : request->lines()) {
        const std::string& sku = line.key().sku();
        if (on_hand_[sku] - held_[sku] < line.quantity()) {
          return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "short");
        }
      }
      stock::v1::Reservation& made = reservations_[request->reservation_id()];
      made.set_id(request->reservation_id());
      made.set_state(stock::v1::RESERVATION_STATE_HELD);
      for (const auto& line : request->lines()) {
        stock::v1::ReservationLine& held = *made.add_lines();
        *held.mutable_key() = line.key();
        held.set_quantity(line.quantity());
        held_[line.key().sku()] += line.quantity();
        booked_[line.key().sku()].push_back(request->context().reference());
      }
      return grpc::Status::OK;
    });
    if (!status.ok()) return status;
    const std::lock_guard lock(mutex_);
    *response->mutable_reservation() = reservations_[request->reservation_id()];
    return status;
  }

  grpc::Status CommitReservation(grpc::ServerContext*,
                                 const stock::v1::CommitReservationRequest* request,
                                 stock::v1::CommitReservationResponse* response) override {
    return write(request->context(), *response, [&] {
      stock::v1::Reservation& reservation = reservations_.at(request->reservation_id());
      if (reservation.state() != stock::v1::RESERVATION_STATE_HELD) return expired();
      if (expire_next_ > 0 && --expire_next_ >= 0) {
        reservation.set_state(stock::v1::RESERVATION_STATE_EXPIRED);
        for (const auto& line : reservation.lines()) held_[line.key().sku()] -= line.quantity();
        return expired();
      }
      reservation.set_state(stock::v1::RESERVATION_STATE_COMMITTED);
      return grpc::Status::OK;
    });
  }

  grpc::Status FulfillReservation(grpc::ServerContext*,
                                  const stock::v1::FulfillReservationRequest* request,
                                  stock::v1::FulfillReservationResponse* response) override {
    return write(request->context(), *response, [&] {
      stock::v1::Reservation& reservation = reservations_.at(request->reservation_id());
      EXPECT_EQ(reservation.state(), stock::v1::RESERVATION_STATE_COMMITTED);
      reservation.set_state(stock::v1::RESERVATION_STATE_FULFILLED);
      for (const auto& line : reservation.lines()) {
        held_[line.key().sku()] -= line.quantity();
        on_hand_[line.key().sku()] -= line.quantity();
      }
      return grpc::Status::OK;
    });
  }

  grpc::Status ImportStockLevels(grpc::ServerContext*,
                                 const stock::v1::ImportStockLevelsRequest* request,
                                 stock::v1::ImportStockLevelsResponse* response) override {
    response->set_changed(request->rows_size());
    return write(request->context(), *response, [&] {
      for (const stock::v1::ImportRow& row : request->rows()) {
        on_hand_[row.key().sku()] = row.on_hand();
      }
      return grpc::Status::OK;
    });
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
  std::map<std::string, std::int64_t> held_;
  std::map<std::string, stock::v1::Reservation> reservations_;
  // Of each SKU, the invoices that moved it.
  std::map<std::string, std::vector<std::string>> booked_;
  // The next holds end before they are committed.
  int expire_next_ = 0;

 private:
  static grpc::Status expired() {
    google::rpc::ErrorInfo info;
    info.set_reason("RESERVATION_EXPIRED");
    google::rpc::Status details;
    details.add_details()->PackFrom(info);
    return {grpc::StatusCode::FAILED_PRECONDITION, "ended", details.SerializeAsString()};
  }

  // Once for each request_id.
  template <typename Response>
  grpc::Status write(const stock::v1::WriteContext& context, Response& response,
                     const std::function<grpc::Status()>& apply) {
    const std::lock_guard lock(mutex_);
    const bool fails = reliable_after_ > 0 && --reliable_after_ >= 0 && random_() % 3 == 0;
    if (fails && random_() % 2 == 0) return {grpc::StatusCode::RESOURCE_EXHAUSTED, "queue full"};
    if (applied_.contains(context.request_id())) {
      response.set_replayed(true);
    } else {
      const grpc::Status status = apply();
      if (!status.ok()) return status;
      applied_.insert(context.request_id());
    }
    if (fails) return {grpc::StatusCode::UNAVAILABLE, "the answer is lost"};
    return grpc::Status::OK;
  }
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

  static StockTable stock_of(int rows) {
    StockTable stock;
    for (int i = 0; i < rows; ++i) {
      stock.rows.push_back({.on_hand = i,
                            .safety_stock = std::nullopt,
                            .line = i + 2,
                            .key = stock.keys.number_of("SKU-" + std::to_string(i), "LON")});
    }
    return stock;
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

  std::int64_t on_hand() { return sum(service_.on_hand_); }
  std::int64_t held() { return sum(service_.held_); }

  std::int64_t sum(const std::map<std::string, std::int64_t>& counts) {
    const std::lock_guard lock(service_.mutex_);
    std::int64_t units = 0;
    for (const auto& [sku, count] : counts) units += count;
    return units;
  }

  UnreliableService service_;
  std::unique_ptr<grpc::Server> server_;
  ClientOptions client_;
  LineReport refused_{"f", "refused", [](std::string_view) {}};
  LineReport bad_{"f", "bad", [](std::string_view) {}};
};

TEST_F(StockctlLoad, each_invoice_is_sold_once_whatever_fails) {
  constexpr int kLines = 400;
  fill(kLines);
  service_.fail_calls(400);
  const Sales sold = sales(kLines);
  const ReplaySummary summary = replay(sold);
  EXPECT_TRUE(summary.stopped.ok()) << summary.stopped;
  EXPECT_EQ(summary.done(), kLines);
  EXPECT_EQ(summary.refused, 0);
  EXPECT_GT(summary.retries, 0);
  EXPECT_EQ(on_hand(), 7 * kLines - kLines);
  EXPECT_EQ(held(), 0);

  const ReplaySummary again = replay(sold);
  EXPECT_EQ(again.sold, 0);
  EXPECT_EQ(again.already_applied, kLines);
  EXPECT_EQ(on_hand(), 7 * kLines - kLines);
}

TEST_F(StockctlLoad, what_an_earlier_run_left_half_done_is_taken_up) {
  fill(10);
  const Sales sold = sales(10);
  replay(sold);
  {
    const std::lock_guard lock(service_.mutex_);
    // As if one had ended after the hold, and one after the commit: of both, what came later is
    // gone.
    auto undone = service_.reservations_.begin();
    for (const auto state :
         {stock::v1::RESERVATION_STATE_HELD, stock::v1::RESERVATION_STATE_COMMITTED}) {
      undone->second.set_state(state);
      for (const auto& line : undone->second.lines()) {
        service_.held_[line.key().sku()] += line.quantity();
        service_.on_hand_[line.key().sku()] += line.quantity();
      }
      ++undone;
    }
    std::erase_if(service_.applied_, [&](const std::string& request) {
      return !service_.reservations_.contains(request);
    });
  }
  const ReplaySummary again = replay(sold);
  EXPECT_EQ(again.sold, 2);
  EXPECT_EQ(again.already_applied, 8);
  EXPECT_EQ(on_hand(), 60);
  EXPECT_EQ(held(), 0);
}

TEST_F(StockctlLoad, a_hold_that_ended_too_soon_is_made_anew) {
  fill(10);
  service_.expire_next_ = 3;
  const Sales sold = sales(10);
  EXPECT_EQ(replay(sold).sold, 10);
  EXPECT_EQ(on_hand(), 60);
  EXPECT_EQ(held(), 0);
  EXPECT_EQ(replay(sold).already_applied, 10);
  EXPECT_EQ(on_hand(), 60);
}

TEST_F(StockctlLoad, what_brings_stock_back_is_booked_after_the_sales_before_it) {
  fill(100);
  Sales sold = sales(200);
  for (std::size_t i = 0; i < sold.lines.size(); i += 10) sold.lines[i].quantity = -1;
  service_.fail_calls(200);
  const ReplaySummary summary = replay(sold);
  EXPECT_EQ(summary.done(), 200);
  EXPECT_EQ(summary.refused, 0);
  EXPECT_EQ(on_hand(), 700 - 180 + 20);
  const std::lock_guard lock(service_.mutex_);
  for (const auto& [sku, invoices] : service_.booked_) {
    int newest = -1;
    for (const std::string& invoice : invoices) {
      const int number = std::stoi(invoice);
      const bool brings_back = number % 10 == 0;
      EXPECT_TRUE(!brings_back || number > newest) << sku << ": " << number << " after " << newest;
      newest = std::max(newest, number);
    }
  }
}

TEST_F(StockctlLoad, refused_lines_are_counted_and_the_rest_goes_on) {
  fill(2);
  const ReplaySummary summary = replay(sales(70));
  EXPECT_TRUE(summary.stopped.ok());
  // i * i % 7 is one of four numbers.
  EXPECT_EQ(summary.sold, 8);
  EXPECT_EQ(summary.refused, 62);
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
  service_.fail_calls(3);
  const ImportOptions options{.digest = {},
                              .words = "test",
                              .context = {},
                              .in_flight = 2,
                              .retry_for = std::chrono::seconds(30)};
  std::ostringstream err;
  Progress progress(err, {}, "import", "rows", 2'500, Progress::Clock::now());
  const ImportSummary first = import_levels(client_, stock_of(2'500), options, bad_, progress);
  EXPECT_TRUE(first.stopped.ok()) << first.stopped;
  EXPECT_EQ(first.rows, 2'500);
  {
    const std::lock_guard lock(service_.mutex_);
    EXPECT_EQ(service_.applied_.size(), 3u);
    EXPECT_EQ(service_.on_hand_["SKU-2499"], 2'499);
  }
  const ImportSummary second = import_levels(client_, stock_of(2'500), options, bad_, progress);
  EXPECT_EQ(second.already_applied, 2'500);
  EXPECT_EQ(second.changed, 0);
}

}  // namespace
}  // namespace stockctl

#include "faults/shop.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "stock/domain/movement.h"
#include "support/eventually.h"
#include "support/fsck.h"

namespace stock::faults {

using namespace std::chrono_literals;
using support::Called;
using support::Ended;
using support::Sql;
using support::StockClient;
using support::StockdProcess;

namespace {

constexpr int kAskers = 32;

std::string behind(const support::TcpGate& gate) {
  return fmt::format("postgresql://stock_writer@127.0.0.1:{}/stock", gate.port());
}

// Of a query that gives the rows at fault.
void expect_none(Sql& sql, const std::string& what, const std::string& query) {
  const auto rows = sql.query(query);
  std::string first;
  for (const std::string& field : rows.empty() ? Sql::Row{} : rows.front()) first += field + " ";
  EXPECT_EQ(rows.size(), 0u) << what << "; the first: " << first;
}

// Ids of requests and reservations.
std::set<std::string> remembered(const Shop& shop) {
  std::set<std::string> ids;
  for (const auto& row : shop.sql().query(
           "SELECT id FROM stock.request UNION ALL SELECT id FROM stock.reservation")) {
    EXPECT_TRUE(ids.insert(row[0]).second) << row[0] << " is remembered twice";
  }
  return ids;
}

}  // namespace

Shop::Shop(int count, std::vector<std::string> flags) {
  sql().exec("INSERT INTO stock.location (id) VALUES ('main'), ('store')");
  flags.insert(flags.end(), {"--layers=memory,primary"});
  for (int i = 0; i < count; ++i) {
    Till& till = tills.emplace_back();
    till.gate = std::make_unique<support::TcpGate>(primary.port());
    till.stockd = std::make_unique<StockdProcess>(
        StockdProcess::Options{.primary_url = behind(*till.gate), .flags = flags});
  }
}

std::string Shop::stock(std::int64_t on_hand, const std::string& location) {
  const std::string sku = fmt::format("sku {}", ++last_sku_);
  sql().exec(fmt::format("INSERT INTO stock.level (sku, location, on_hand) VALUES ('{}', '{}', {})",
                         sku, location, on_hand));
  return sku;
}

std::int64_t Shop::waiting() const {
  return sql().number("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted");
}

void Shop::check_ledger() const {
  support::expect_sound_ledger(primary);
  Sql sql = this->sql();
  expect_none(sql, "something was sold twice", R"(
    SELECT sku, version, kind, on_hand, reserved, committed FROM stock.movement
    WHERE reserved + committed + safety_stock > on_hand + backorder_limit
      AND (reserved_delta > 0 OR kind = 'RESERVE'))");
}

v1::CreateReservationRequest hold(const std::string& id, const std::string& sku,
                                  std::int64_t quantity, int seconds) {
  v1::CreateReservationRequest request;
  request.set_reservation_id(id);
  auto& line = *request.add_lines();
  line.mutable_key()->set_sku(sku);
  line.mutable_key()->set_location("main");
  line.set_quantity(quantity);
  request.mutable_ttl()->set_seconds(seconds);
  return request;
}

std::string make_id(std::mt19937_64& random) {
  domain::Uuid id{};
  for (auto& byte : id) byte = static_cast<std::uint8_t>(random());
  return domain::format_uuid(id);
}

// ---- Crowd

// Buys at random; of one's own reservations only, so that the shopper knows what may come of it.
class Crowd::Shopper {
 public:
  Shopper(Crowd& crowd, int number)
      : crowd_(crowd), random_(crowd.options_.seed * 1000 + static_cast<std::uint64_t>(number)) {
    for (const Till& till : crowd.shop_.tills) {
      clients_.push_back(std::make_unique<StockClient>(till.stockd->address()));
      clients_.back()->set_deadline(4s);
    }
  }

  void run() {
    while (!crowd_.closing_) step();
  }

 private:
  int upto(int most) { return std::uniform_int_distribution<int>(0, most)(random_); }

  void line(v1::ReservedUnits& line) {
    line.mutable_key()->set_sku(
        crowd_.skus_[static_cast<std::size_t>(upto(static_cast<int>(crowd_.skus_.size()) - 1))]);
    line.mutable_key()->set_location("main");
    line.set_quantity(1 + upto(2));
  }

  void step() {
    if (mine_.empty() || upto(2) == 0) return create();
    const std::size_t which = static_cast<std::size_t>(upto(static_cast<int>(mine_.size()) - 1));
    const std::string id = mine_[which];
    switch (upto(4)) {
      case 0: {
        v1::UpdateReservationRequest request;
        request.set_reservation_id(id);
        if (upto(1) == 0) request.mutable_ttl()->set_seconds(1 + upto(2));
        for (int i = upto(2); i > 0 || !(request.has_ttl() || request.lines_size() > 0); --i) {
          line(*request.add_lines());
        }
        settle("Update", id, request, &StockClient::update);
        break;
      }
      case 1: {
        v1::CommitReservationRequest request;
        request.set_reservation_id(id);
        settle("Commit", id, request, &StockClient::commit);
        break;
      }
      case 2: {
        v1::FulfillReservationRequest request;
        request.set_reservation_id(id);
        settle("Fulfill", id, request, &StockClient::fulfill);
        break;
      }
      case 3: {
        v1::AdjustStockRequest request;
        auto& line = *request.add_lines();
        line.mutable_key()->set_sku(
            crowd_
                .skus_[static_cast<std::size_t>(upto(static_cast<int>(crowd_.skus_.size()) - 1))]);
        line.mutable_key()->set_location("main");
        line.set_on_hand_delta(upto(3) == 0 ? -1 : 1 + upto(1));
        settle("Adjust", "", request,
               static_cast<Called<v1::AdjustStockResponse> (StockClient::*)(
                   const v1::AdjustStockRequest&)>(&StockClient::adjust));
        break;
      }
      default: {
        v1::ReleaseReservationRequest request;
        request.set_reservation_id(id);
        settle("Release", id, request, &StockClient::release);
        mine_.erase(mine_.begin() + static_cast<std::ptrdiff_t>(which));
      }
    }
  }

  void create() {
    v1::CreateReservationRequest request;
    const std::string id = make_id(random_);
    request.set_reservation_id(id);
    for (int i = 1 + upto(3); i > 0; --i) line(*request.add_lines());
    request.mutable_ttl()->set_seconds(1 + upto(3));
    request.set_allow_partial(upto(3) == 0);
    if (!settle("Create", id, request, &StockClient::reserve)) return;
    mine_.push_back(id);
    if (mine_.size() > 6) mine_.erase(mine_.begin());
  }

  // Asks one till after the other, with the same request id, until somebody knows. Whether it was
  // applied. A refusal is of one attempt: another one, which was given up, may be under way still,
  // and so that is asked about again when nothing is.
  template <typename Request, typename Response>
  bool settle(const std::string& method, const std::string& reservation, Request request,
              Called<Response> (StockClient::*call)(const Request&)) {
    const std::string id = method == "Create" ? reservation : make_id(random_);
    request.mutable_context()->set_request_id(id);
    bool maybe = false;  // an earlier try may have applied it
    for (int tries = 0; tries < 200; ++tries) {
      StockClient& client =
          *clients_[static_cast<std::size_t>(upto(static_cast<int>(clients_.size()) - 1))];
      const Called<Response> called = (client.*call)(request);
      if (!answered(called)) {
        maybe = maybe || !known(called);
        std::this_thread::sleep_for(std::chrono::milliseconds(5 + upto(20)));
        continue;
      }
      crowd_.note(method, id, reservation, called, maybe);
      if (maybe && !called.ok()) {
        const std::lock_guard lock(crowd_.mutex_);
        crowd_.doubts_.push_back(
            [&crowd = crowd_, method, id, reservation, request, call](StockClient& till) {
              const Called<Response> at_last = (till.*call)(request);
              EXPECT_TRUE(answered(at_last)) << method << " " << id << ": " << at_last.message;
              crowd.note(method, id, reservation, at_last, true);
            });
      }
      return called.ok();
    }
    ADD_FAILURE() << method << " " << id << " was never answered";
    return false;
  }

  // Whether this attempt is known to have been applied, or not to have been.
  template <typename Response>
  static bool known(const Called<Response>& called) {
    const auto applied = called.metadata.find("applied");
    return called.ok() || (applied != called.metadata.end() && applied->second == "no");
  }
  template <typename Response>
  static bool answered(const Called<Response>& called) {
    return known(called) && called.code != 14 && called.code != 4 && called.code != 8;
  }

  Crowd& crowd_;
  std::mt19937_64 random_;
  std::vector<std::unique_ptr<StockClient>> clients_;
  std::vector<std::string> mine_;  // reservations
};

template <typename Response>
void Crowd::note(const std::string& method, const std::string& id, const std::string& reservation,
                 const Called<Response>& called, bool maybe) {
  Receipt receipt{.method = method, .applied = called.ok(), .reservation = reservation};
  if (called.ok()) {
    receipt.replayed = called.response.replayed();
    for (const auto& level : called.response.levels()) {
      receipt.versions[{level.key().sku(), level.key().location()}] = level.version();
    }
  }
  ++answered_;
  const std::lock_guard lock(mutex_);
  ++ends_[fmt::format("{} {}{}", method, called.ok() ? "OK" : called.reason,
                      receipt.replayed ? ", found out later" : "")];
  if (maybe) ++ends_["(not known at first)"];
  receipts_[id] = std::move(receipt);
}

Crowd::Crowd(Options options, Shop& shop, std::vector<std::string> skus)
    : options_(options), shop_(shop), skus_(std::move(skus)), others_(remembered(shop)) {}

void Crowd::run(const std::function<void()>& meanwhile) {
  std::vector<std::thread> threads;
  for (int i = 0; i < options_.shoppers; ++i) {
    threads.emplace_back([this, i] { Shopper(*this, i).run(); });
  }
  try {
    meanwhile();
  } catch (const std::exception& error) {
    ADD_FAILURE() << error.what();
  }
  closing_ = true;
  for (std::thread& thread : threads) thread.join();
  // What was given up has met its deadline at the till as well, or holds the locks that it needs.
  for (const Till& till : shop_.tills) {
    EXPECT_TRUE(support::eventually([&] {
      return till.stockd->get("/metrics").body.find("\nstock_write_queue_length 0\n") !=
             std::string::npos;
    }));
  }
  threads.clear();
  std::atomic<std::size_t> next = 0;
  for (int i = 0; i < kAskers; ++i) {
    threads.emplace_back([this, &next] {
      StockClient till(shop_.tills.front().stockd->address());
      for (std::size_t doubt = next++; doubt < doubts_.size(); doubt = next++) doubts_[doubt](till);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

void Crowd::check() const {
  Sql sql = shop_.sql();
  std::map<std::string, std::map<std::pair<std::string, std::string>, std::int64_t>> made;
  for (const auto& row : sql.query(
           "SELECT coalesce(request, CASE kind WHEN 'RESERVE' THEN reservation END), sku, location,"
           " version FROM stock.movement WHERE request IS NOT NULL OR kind = 'RESERVE'")) {
    auto& versions = made[row[0]];
    EXPECT_FALSE(versions.contains({row[1], row[2]})) << row[0] << " moved a key twice";
    versions[{row[1], row[2]}] = std::stoll(row[3]);
  }
  const std::set<std::string> held = remembered(shop_);
  for (const auto& [id, receipt] : receipts_) {
    EXPECT_EQ(held.contains(id), receipt.applied)
        << receipt.method << " " << id
        << (receipt.applied ? " was lost" : " was refused, and applied");
    if (!receipt.applied) {
      EXPECT_FALSE(made.contains(id))
          << receipt.method << " " << id << " was refused, and moved stock";
    } else if (!receipt.replayed || receipt.method != "Create") {
      EXPECT_EQ(made[id], receipt.versions) << receipt.method << " " << id;
    } else {
      EXPECT_FALSE(made[id].empty()) << receipt.method << " " << id;
    }
  }
  for (const std::string& id : held) {
    EXPECT_TRUE(receipts_.contains(id) || others_.contains(id))
        << id << " is in the ledger, and nobody asked for it";
  }
}

std::string Crowd::summary() const {
  std::string text = fmt::format("{} requests", receipts_.size());
  for (const auto& [end, count] : ends_) text += fmt::format("; {}: {}", end, count);
  return text;
}

}  // namespace stock::faults

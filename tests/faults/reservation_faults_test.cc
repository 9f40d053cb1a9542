// Interleavings that break naive designs of reservations, each made to happen; and a crowd that
// buys small stocks while parts are killed at every step of a batch.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <future>
#include <iostream>

#include "faults/shop.h"
#include "support/eventually.h"

namespace stock::faults {
namespace {

using namespace std::chrono_literals;
using support::eventually;
using support::Sql;
using support::StockClient;
using ::testing::AnyOf;
using ::testing::Eq;
using ::testing::Ge;

constexpr int kFailedPrecondition = 9;

// Holds something in the database that batches wait for, until it is let go of.
class Barrier {
 public:
  // Before the levels are locked.
  static Barrier on_level(Shop& shop, const std::string& sku) {
    return Barrier(shop, "SELECT FROM stock.level WHERE sku = '" + sku + "' FOR UPDATE");
  }
  // After the levels are locked, before anything is written.
  static Barrier on_writing(Shop& shop) {
    return Barrier(shop, "LOCK TABLE stock.movement IN SHARE MODE");
  }
  // Within COMMIT, before it takes effect: see slow_commits().
  static Barrier on_commit(Shop& shop) {
    return Barrier(shop, "SELECT pg_advisory_xact_lock(4711)");
  }

  void let_go() { sql_.exec("ROLLBACK"); }

 private:
  Barrier(Shop& shop, const std::string& statement) : sql_(shop.sql()) {
    sql_.exec("BEGIN; SET LOCAL lock_timeout = '30s'; " + statement);
  }
  Sql sql_;
};

class ReservationFaultsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    shop_ = std::make_unique<Shop>(2, std::vector<std::string>{"--write-timeout=20s"});
    // A commit waits for whoever holds the barrier: deferred triggers run within COMMIT.
    shop_->sql().exec(R"(
      CREATE FUNCTION stock.wait_at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN NULL; END $$;
      CREATE CONSTRAINT TRIGGER wait_at_commit AFTER INSERT ON stock.movement
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION stock.wait_at_commit())");
  }
  static void TearDownTestSuite() { shop_.reset(); }

  void TearDown() override { shop().check_ledger(); }

  static Shop& shop() { return *shop_; }
  static std::string id() { return make_id(random_); }
  static StockClient client(std::size_t till) {
    return StockClient(shop().tills[till].stockd->address());
  }
  template <typename Request, typename Response>
  static auto later(std::size_t till,
                    support::Called<Response> (StockClient::*call)(const Request&),
                    Request request) {
    return std::async(std::launch::async, [=] { return (client(till).*call)(request); });
  }
  static void await_waiting(int backends) {
    EXPECT_TRUE(eventually([] { return shop().waiting(); }, Ge(backends)));
  }
  static v1::CommitReservationRequest commit(const std::string& reservation) {
    v1::CommitReservationRequest request;
    request.set_reservation_id(reservation);
    return request;
  }
  static v1::ReleaseReservationRequest release(const std::string& reservation) {
    v1::ReleaseReservationRequest request;
    request.set_reservation_id(reservation);
    return request;
  }
  static v1::UpdateReservationRequest extend(const std::string& reservation, int seconds) {
    v1::UpdateReservationRequest request;
    request.set_reservation_id(reservation);
    request.mutable_ttl()->set_seconds(seconds);
    return request;
  }
  // Until the database's clock is past the end of a hold.
  static void await_end(const v1::Reservation& reservation) {
    EXPECT_TRUE(eventually(
        [&] { return shop().sql().number("SELECT extract(epoch FROM clock_timestamp())::bigint"); },
        Ge(reservation.expire_time().seconds() + 2)));
  }

  static inline std::mt19937_64 random_{std::random_device{}()};

 private:
  static inline std::unique_ptr<Shop> shop_;
};

TEST_F(ReservationFaultsTest, a_request_that_waits_for_the_lock_of_its_twin_is_told_what_that_did) {
  const std::string sku = shop().stock(10);
  Barrier barrier = Barrier::on_level(shop(), sku);
  const auto request = hold(id(), sku, 6);
  auto first = later(0, &StockClient::reserve, request);
  auto twin = later(1, &StockClient::reserve, request);
  await_waiting(2);
  barrier.let_go();
  const auto one = first.get();
  const auto other = twin.get();
  ASSERT_TRUE(one.ok()) << one.message;
  ASSERT_TRUE(other.ok()) << other.message;
  EXPECT_NE(one.response.replayed(), other.response.replayed());
  EXPECT_EQ(shop().sql().number("SELECT reserved FROM stock.level WHERE sku = '" + sku + "'"), 6);
}

TEST_F(ReservationFaultsTest, a_commit_that_waited_past_the_end_of_its_hold_comes_too_late) {
  const std::string sku = shop().stock(10);
  const auto held = client(0).reserve(hold(id(), sku, 10, 1));
  ASSERT_TRUE(held.ok()) << held.message;
  Barrier barrier = Barrier::on_level(shop(), sku);
  auto late = later(0, &StockClient::commit, commit(held.response.reservation().id()));
  auto next = later(1, &StockClient::reserve, hold(id(), sku, 10));
  await_waiting(2);
  await_end(held.response.reservation());
  barrier.let_go();
  EXPECT_EQ(late.get().reason, "RESERVATION_EXPIRED");
  const auto served = next.get();
  EXPECT_TRUE(served.ok()) << "what has ended is for whoever needs it: " << served.message;
}

TEST_F(ReservationFaultsTest, at_its_very_end_a_hold_is_either_sold_or_somebody_elses) {
  int sold = 0;
  for (int i = 0; i < 6; ++i) {
    const std::string sku = shop().stock(5);
    const auto held = client(0).reserve(hold(id(), sku, 5, 1));
    ASSERT_TRUE(held.ok()) << held.message;
    // Sent around the end, some before and some behind it.
    std::this_thread::sleep_for(960ms + std::chrono::milliseconds(20 * i));
    auto buy = later(0, &StockClient::commit, commit(held.response.reservation().id()));
    auto take = later(1, &StockClient::reserve, hold(id(), sku, 5));
    const auto bought = buy.get();
    const auto taken = take.get();
    // Whoever asks for it just before the end is told that there is nothing; that is no sale.
    EXPECT_FALSE(bought.ok() && taken.ok()) << "sold twice";
    if (!bought.ok()) {
      EXPECT_EQ(bought.reason, "RESERVATION_EXPIRED");
    }
    if (!taken.ok()) {
      EXPECT_EQ(taken.reason, "INSUFFICIENT_STOCK");
    }
    sold += bought.ok() ? 1 : 0;
  }
  std::cout << "sold in time: " << sold << " of 6\n";
}

TEST_F(ReservationFaultsTest, an_extension_and_who_finds_the_hold_due_agree) {
  for (const bool in_time : {true, false}) {
    const std::string sku = shop().stock(10);
    const auto held = client(0).reserve(hold(id(), sku, 10, in_time ? 30 : 1));
    ASSERT_TRUE(held.ok()) << held.message;
    Barrier barrier = Barrier::on_level(shop(), sku);
    auto extended = later(0, &StockClient::update, extend(held.response.reservation().id(), 60));
    auto taken = later(1, &StockClient::reserve, hold(id(), sku, 1));
    await_waiting(2);
    if (!in_time) await_end(held.response.reservation());
    barrier.let_go();
    const auto extension = extended.get();
    const auto taking = taken.get();
    EXPECT_EQ(extension.ok(), in_time) << extension.message;
    EXPECT_EQ(taking.ok(), !in_time) << taking.message;
  }
}

TEST_F(ReservationFaultsTest, of_a_release_and_a_commit_at_once_one_happens) {
  const std::string sku = shop().stock(10);
  const auto held = client(0).reserve(hold(id(), sku, 10));
  ASSERT_TRUE(held.ok()) << held.message;
  Barrier barrier = Barrier::on_level(shop(), sku);
  auto committed = later(0, &StockClient::commit, commit(held.response.reservation().id()));
  auto released = later(1, &StockClient::release, release(held.response.reservation().id()));
  await_waiting(2);
  barrier.let_go();
  const auto commit = committed.get();
  const auto release = released.get();
  // A release of what was committed first is a cancellation; a commit of what was released is none.
  EXPECT_TRUE(release.ok()) << release.message;
  if (!commit.ok()) {
    EXPECT_EQ(commit.reason, "RESERVATION_STATE");
  }
  EXPECT_EQ(
      shop().sql().number("SELECT reserved + committed FROM stock.level WHERE sku = '" + sku + "'"),
      0);
}

TEST_F(ReservationFaultsTest,
       a_hold_whose_lines_change_while_a_commit_waits_is_sold_as_it_is_then) {
  const std::string one = shop().stock(10);
  const std::string two = shop().stock(10);
  const auto held = client(0).reserve(hold(id(), one, 4));
  ASSERT_TRUE(held.ok()) << held.message;
  Barrier barrier = Barrier::on_level(shop(), one);
  v1::UpdateReservationRequest other = extend(held.response.reservation().id(), 60);
  *other.add_lines() = hold("", two, 3).lines(0);
  auto updated = later(0, &StockClient::update, other);
  await_waiting(1);
  auto committed = later(1, &StockClient::commit, commit(held.response.reservation().id()));
  await_waiting(2);
  barrier.let_go();
  ASSERT_TRUE(updated.get().ok());
  const auto commit = committed.get();
  ASSERT_TRUE(commit.ok()) << commit.message;
  ASSERT_EQ(commit.response.reservation().lines_size(), 1);
  EXPECT_EQ(commit.response.reservation().lines(0).key().sku(), two);
}

TEST_F(ReservationFaultsTest, a_commit_that_was_lost_and_still_flushes_is_found_not_repeated) {
  const std::string sku = shop().stock(10);
  Barrier barrier = Barrier::on_commit(shop());
  auto call = later(0, &StockClient::reserve, hold(id(), sku, 6));
  await_waiting(1);
  shop().tills[0].gate->reset_connections();
  // The batch is run again, and waits for the levels that the lost one still holds.
  await_waiting(2);
  barrier.let_go();
  const auto called = call.get();
  ASSERT_TRUE(called.ok()) << called.message;
  EXPECT_TRUE(called.response.replayed());
  EXPECT_EQ(shop().sql().number("SELECT reserved FROM stock.level WHERE sku = '" + sku + "'"), 6);
}

TEST_F(ReservationFaultsTest, lines_in_opposite_orders_do_not_lock_each_other_out) {
  std::vector<std::string> skus;
  for (int i = 0; i < 8; ++i) skus.push_back(shop().stock(100'000));
  const std::string before =
      shop().sql().value("SELECT deadlocks FROM pg_stat_database WHERE datname = 'stock'");
  std::vector<std::future<int>> callers;
  for (std::size_t till : {0U, 1U}) {
    for (int caller = 0; caller < 4; ++caller) {
      callers.push_back(std::async(std::launch::async, [&skus, till, caller] {
        StockClient client(shop().tills[till].stockd->address());
        std::mt19937_64 random(till * 10 + static_cast<unsigned>(caller));
        int failed = 0;
        for (int i = 0; i < 40; ++i) {
          v1::CreateReservationRequest request = hold(make_id(random), skus[0], 1);
          request.clear_lines();
          for (std::size_t j = 0; j < skus.size(); ++j) {
            const std::string& sku = till == 0 ? skus[j] : skus[skus.size() - 1 - j];
            *request.add_lines() = hold("", sku, 1).lines(0);
          }
          failed += client.reserve(request).ok() ? 0 : 1;
        }
        return failed;
      }));
    }
  }
  for (auto& caller : callers) EXPECT_EQ(caller.get(), 0);
  EXPECT_EQ(shop().sql().value("SELECT deadlocks FROM pg_stat_database WHERE datname = 'stock'"),
            before);
  for (const std::string& sku : skus) {
    EXPECT_EQ(shop().sql().number("SELECT reserved FROM stock.level WHERE sku = '" + sku + "'"),
              320);
  }
}

// As with a transaction that somebody has left open in psql. More of those who need that level come
// all the time; in each lane there is one who waits for its lock, once.
TEST_F(ReservationFaultsTest, who_keeps_a_level_locked_holds_up_only_those_who_need_it) {
  const std::string kept = shop().stock(100);
  std::vector<std::string> others;
  for (int i = 0; i < 16; ++i) others.push_back(shop().stock(1));
  Barrier barrier = Barrier::on_level(shop(), kept);
  std::vector<std::future<support::Called<v1::CreateReservationResponse>>> held_up;
  for (const std::string& other : others) {
    held_up.push_back(later(0, &StockClient::reserve, hold(id(), kept, 1)));
    const auto served = client(0).reserve(hold(id(), other, 1));
    EXPECT_TRUE(served.ok()) << served.message;
  }
  EXPECT_EQ(shop().sql().number("SELECT reserved FROM stock.level WHERE sku = '" + kept + "'"), 0);
  barrier.let_go();
  for (auto& call : held_up) {
    const auto called = call.get();
    EXPECT_TRUE(called.ok()) << called.message;
  }
}

// Two instances expire lines of the same hold at once, each under the lock of another level.
TEST_F(ReservationFaultsTest, a_hold_ends_line_by_line_in_two_places_at_once) {
  std::vector<std::string> skus = {shop().stock(3), shop().stock(3)};
  v1::CreateReservationRequest request = hold(id(), skus[0], 3, 1);
  *request.add_lines() = hold("", skus[1], 3).lines(0);
  const auto held = client(0).reserve(request);
  ASSERT_TRUE(held.ok()) << held.message;
  Barrier barrier = Barrier::on_level(shop(), skus[0]);
  auto one = later(0, &StockClient::reserve, hold(id(), skus[0], 3));
  await_waiting(1);
  await_end(held.response.reservation());
  auto two = later(1, &StockClient::reserve, hold(id(), skus[1], 3));
  barrier.let_go();
  const auto first = one.get();
  const auto second = two.get();
  EXPECT_TRUE(first.ok()) << first.message;
  EXPECT_TRUE(second.ok()) << second.message;
  EXPECT_TRUE(eventually(
      [&] {
        return shop().sql().value("SELECT state FROM stock.reservation WHERE id = '" +
                                  held.response.reservation().id() + "'");
      },
      Eq("EXPIRED")));
}

TEST_F(ReservationFaultsTest, who_holds_for_too_long_loses_it_within_a_second_or_so) {
  const std::string sku = shop().stock(3);
  const auto held = client(0).reserve(hold(id(), sku, 3, 1));
  ASSERT_TRUE(held.ok()) << held.message;
  EXPECT_TRUE(eventually(
      [&] {
        return shop().sql().number("SELECT reserved FROM stock.level WHERE sku = '" + sku + "'");
      },
      Eq(0)));
  EXPECT_EQ(client(1).reservation(held.response.reservation().id()).response.reservation().state(),
            v1::RESERVATION_STATE_EXPIRED);
}

// ---- The storm

class OversellFaultsTest : public ReservationFaultsTest {
 protected:
  static std::uint64_t seed() {
    if (const char* given = std::getenv("STOCK_FAULTS_SEED")) return std::stoull(given);
    return std::random_device{}();
  }

  // A crowd buys; at each step of a batch, `fault` happens to `till` while a batch stands there.
  static void storm(const std::function<void(Till&)>& fault,
                    const std::function<void(Till&)>& mend) {
    std::vector<std::string> skus;
    for (int i = 0; i < 6; ++i) skus.push_back(shop().stock(20));
    Crowd::Options options{.seed = seed()};
    Crowd crowd(options, shop(), skus);
    crowd.run([&] {
      const auto await_answers = [&](std::uint64_t more) {
        const std::uint64_t enough = crowd.answered() + more;
        EXPECT_TRUE(eventually([&] { return crowd.answered(); }, Ge(enough)));
      };
      await_answers(200);
      std::size_t next = 0;
      for (int step = 0; step < 4; ++step) {
        Till& till = shop().tills[next++ % shop().tills.size()];
        {
          Barrier barrier = step == 0   ? Barrier::on_level(shop(), skus[0])
                            : step == 1 ? Barrier::on_writing(shop())
                                        : Barrier::on_commit(shop());
          await_waiting(1);
          // Committed, and the answer is on its way.
          if (step == 3) {
            till.gate->stall();
            barrier.let_go();
            EXPECT_TRUE(eventually([&] { return shop().waiting(); }, Eq(0)));
          }
          fault(till);
          try {
            if (step != 3) barrier.let_go();
          } catch (const support::SqlError&) {  // the server is gone, and the barrier with it
          }
        }
        till.gate->open();
        mend(till);
        await_answers(200);
      }
    });
    crowd.check();
    std::cout << "[  crowd   ] seed " << options.seed << ": " << crowd.summary() << "\n";
  }
};

TEST_F(OversellFaultsTest, a_stockd_is_killed_at_every_step_of_a_batch) {
  storm([](Till& till) { till.stockd->kill9(); }, [](Till& till) { till.stockd->start(); });
}

TEST_F(OversellFaultsTest, connections_are_reset_at_every_step_of_a_batch) {
  storm([](Till& till) { till.gate->reset_connections(); }, [](Till&) {});
}

TEST_F(OversellFaultsTest, the_network_is_cut_at_every_step_of_a_batch) {
  storm([](Till& till) { till.gate->cut(); }, [](Till&) {});
}

TEST_F(OversellFaultsTest, the_database_is_killed_at_every_step_of_a_batch) {
  storm([](Till&) { shop().primary.kill9(); }, [](Till&) { shop().primary.start(); });
}

}  // namespace
}  // namespace stock::faults

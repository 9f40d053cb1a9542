// The service while its primary is away, at its start and at its end.
#include <atomic>
#include <thread>

#include "service_world.h"

namespace stock {
namespace {

class ServiceOutageTest : public ServiceTest {};

TEST_F(ServiceOutageTest, it_starts_without_any_server_reports_unhealthy_and_recovers) {
  primary().stop();
  redis().kill9();
  auto options = all_layers();
  options.await = StockdProcess::Await::kAlive;
  StockdProcess stockd(options);
  StockClient client(stockd.address());
  EXPECT_EQ(stockd.get("/readyz").status, 503);
  EXPECT_FALSE(client.serving());
  EXPECT_FALSE(client.serving("stock.v1.StockService"));
  const auto read = client.get("any", "main");
  EXPECT_EQ(read.code, kUnavailable);
  EXPECT_EQ(read.reason, "BACKEND_UNAVAILABLE");
  EXPECT_GE(read.provenance.trail_size(), 4) << "the error tells what each layer said";

  primary().start();
  redis().start();
  EXPECT_TRUE(eventually([&] { return stockd.get("/readyz").status; }, Eq(200)));
  EXPECT_TRUE(eventually([&] { return client.serving("stock.v1.StockService"); }));
  EXPECT_TRUE(eventually([&] { return client.create_location("main", "Main").ok(); }));
  EXPECT_TRUE(client.adjust("any", "main", 1).ok());
}

TEST_F(ServiceOutageTest,
       a_primary_that_dies_takes_writes_and_freshness_with_it_and_brings_them_back) {
  StockdProcess stockd(all_layers({"--max-staleness", "1s", "--write-timeout", "1s"}));
  StockClient client(stockd.address());
  ASSERT_TRUE(client.create_location("main", "Main").ok());
  const std::string once = "5d0c7f0e-1b52-4c3a-9e61-7a4f2f7c8b90";
  ASSERT_TRUE(eventually([&] { return client.adjust("kept", "main", 8, once).ok(); }));
  ASSERT_TRUE(eventually(
      [&] { return client.get("kept", "main", at_most(1s)).response.level().version(); }, Eq(1)));

  primary().kill9();
  // The replica's date stands still: within the bound it answers, beyond it nobody does.
  EXPECT_TRUE(
      eventually([&] { return client.get("kept", "main").reason; }, Eq("STALENESS_BOUND_UNMET")));
  EXPECT_TRUE(eventually([&] { return client.serving(); }, Eq(false)));
  const auto stale = client.get("kept", "main", at_most(1s, true));
  ASSERT_TRUE(stale.ok()) << stale.message;
  EXPECT_EQ(stale.response.level().counts().on_hand(), 8);
  EXPECT_TRUE(stale.response.provenance().bound_missed());
  EXPECT_GE(stale.response.provenance().age().seconds(), 1);
  client.set_deadline(2s);
  const auto write = client.adjust("kept", "main", 1);
  EXPECT_THAT(write.code, AnyOf(Eq(kUnavailable), Eq(4)));
  client.set_deadline(30s);

  primary().start();
  EXPECT_TRUE(eventually([&] { return client.serving(); }));
  EXPECT_TRUE(eventually([&] { return client.adjust("kept", "main", 1).ok(); }));
  // A session that could not connect leaves the server alone for up to two seconds.
  EXPECT_TRUE(eventually(
      [&] {
        return client.get("kept", "main", fully_consistent()).response.level().counts().on_hand();
      },
      Ge(9)));
  // Each of its connections, now that one has found it back.
  for (int i = 0; i < 16; ++i) {
    const auto read = client.get("kept", "main", fully_consistent());
    EXPECT_TRUE(read.ok()) << read.message;
  }
}

TEST_F(ServiceOutageTest, a_primary_that_hangs_costs_a_bounded_wait_and_comes_back) {
  StockdProcess stockd(primary_only(
      {"--layers", "primary", "--primary-timeout", "300ms", "--breaker-open", "100ms"}));
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  ASSERT_TRUE(eventually([&] { return client.get("hung", "main", fully_consistent()).ok(); }));
  primary().sigstop();
  const auto read = client.get("hung", "main", fully_consistent());
  EXPECT_EQ(read.code, kUnavailable);
  EXPECT_EQ(trail_of(read.provenance), "primary timeout");
  EXPECT_TRUE(eventually(
      [&] { return trail_of(client.get("hung", "main", fully_consistent()).provenance); },
      Eq("primary breaker_open")));
  primary().sigcont();
  EXPECT_TRUE(eventually([&] { return client.get("hung", "main", fully_consistent()).ok(); }));
}

TEST_F(ServiceOutageTest, another_schema_is_refused_at_start_with_what_to_do) {
  support::Sql sql = primary().connect();
  sql.exec(
      "UPDATE public.gorp_migrations SET id = '9999_future.sql' WHERE id = '0014_statements.sql'");
  EXPECT_THROW(
      {
        try {
          StockdProcess stockd(primary_only());
        } catch (const std::runtime_error& error) {
          EXPECT_THAT(error.what(),
                      AllOf(HasSubstr("9999_future.sql"), HasSubstr("0014_statements.sql"),
                            HasSubstr("as new as the schema")));
          throw;
        }
      },
      std::runtime_error);
  sql.exec(
      "UPDATE public.gorp_migrations SET id = '0014_statements.sql' WHERE id = '9999_future.sql'");
}

// Callers write without pause while the service is told to stop. What was acknowledged is in the
// ledger once and nothing else is, and every call that was accepted is answered.
TEST_F(ServiceOutageTest, no_accepted_call_is_lost_at_the_end) {
  auto stockd = std::make_unique<StockdProcess>(primary_only());
  StockClient client(stockd->address());
  client.create_location("main", "Main");
  std::atomic<int> acknowledged{0};
  std::atomic<int> refused{0};
  std::atomic<int> lost{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 8; ++t) {
    callers.emplace_back([&] {
      while (true) {
        const auto write = client.adjust("last", "main", 1);
        if (write.ok()) {
          ++acknowledged;
          continue;
        }
        // Refused before it was accepted: the port is closed, or gRPC cancels a call that reached
        // the server after it had begun to end. That neither was accepted is what the ledger says
        // below.
        (write.code == kUnavailable || write.code == kCancelled ? refused : lost)++;
        return;
      }
    });
  }
  ASSERT_TRUE(eventually([&] { return acknowledged.load(); }, Ge(200)));
  EXPECT_EQ(stockd->stop(), 0);
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(lost, 0);
  EXPECT_EQ(primary().connect().number("SELECT on_hand FROM stock.level WHERE sku = 'last'"),
            acknowledged);
  stockd.reset();
}

}  // namespace
}  // namespace stock

// stockd behind a pooler of connections: served by sessions, refused by transactions.
#include <stdexcept>

#include "service_world.h"
#include "support/pgbouncer_server.h"

namespace stock {
namespace {

using support::PgBouncerServer;

class ServicePoolerTest : public ServiceTest {};

TEST_F(ServicePoolerTest, behind_a_pooler_of_sessions_it_leads_reads_and_writes) {
  PgBouncerServer pooler(primary().port(), "session");
  PgBouncerServer before_replica(replica().port(), "session");
  auto options = all_layers();
  options.primary_url = pooler.url();
  options.replica_url = before_replica.url("stock_reader");
  StockdProcess first(options);
  StockdProcess second(options);
  StockClient client(first.address());
  client.create_location("main", "Main");
  ASSERT_TRUE(eventually(
      [&] { return metric(first, "stock_leader") + metric(second, "stock_leader"); }, Eq(1.0)));
  for (int i = 1; i <= 20; ++i) {
    const auto written = client.adjust("pooled", "main", 1);
    ASSERT_TRUE(written.ok()) << written.message;
    const auto read = StockClient(second.address())
                          .get("pooled", "main", support::as_fresh_as(written.response.token()));
    ASSERT_TRUE(read.ok()) << read.message;
    ASSERT_EQ(read.response.level().version(), i);
  }
  // The leader's lock goes with its session, though the pooler keeps the server's connection.
  StockdProcess& leader = metric(first, "stock_leader") == 1.0 ? first : second;
  StockdProcess& other = &leader == &first ? second : first;
  leader.kill9();
  EXPECT_TRUE(eventually([&] { return metric(other, "stock_leader"); }, Eq(1.0)));
}

TEST_F(ServicePoolerTest, behind_a_pooler_of_transactions_it_says_what_is_wrong) {
  PgBouncerServer pooler(primary().port(), "transaction");
  try {
    const StockdProcess refused({.primary_url = pooler.url()});
    FAIL() << "it started";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("set pool_mode = session"));
  }
}

}  // namespace
}  // namespace stock

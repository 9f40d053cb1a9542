// When the first hold of a level may end: it belongs to the version, whoever tells of it.
#include <future>

#include "service_world.h"
#include "support/stock_stream.h"

namespace stock {
namespace {

using support::WatchStream;

class ServiceExpiryTest : public ServiceTest {
 protected:
  static void SetUpTestSuite() {
    ServiceTest::SetUpTestSuite();
    stockd_ = std::make_unique<StockdProcess>(all_layers({"--write-timeout", "30s"}));
    client_ = std::make_unique<StockClient>(stockd_->address());
    client_->create_location("main", "Main");
  }
  static void TearDownTestSuite() {
    client_.reset();
    stockd_.reset();
    ServiceTest::TearDownTestSuite();
  }
  static StockdProcess& stockd() { return *stockd_; }
  static StockClient& client() { return *client_; }

  static v1::Reservation hold(const std::string& sku, std::int64_t units, int ttl_seconds) {
    v1::CreateReservationRequest request;
    auto& line = *request.add_lines();
    line.mutable_key()->set_sku(sku);
    line.mutable_key()->set_location("main");
    line.set_quantity(units);
    request.mutable_ttl()->set_seconds(ttl_seconds);
    const auto held = client().reserve(request);
    EXPECT_TRUE(held.ok()) << held.message;
    return held.response.reservation();
  }
  static void release(const v1::Reservation& reservation) {
    v1::ReleaseReservationRequest request;
    request.set_reservation_id(reservation.id());
    const auto released = client().release(request);
    EXPECT_TRUE(released.ok()) << released.message;
  }

  // "v3 reserved 2 until 1795486624680001", in microseconds since the epoch; "until ?" without.
  static std::string words(const v1::StockLevel& level) {
    std::string until = "?";
    if (level.has_earliest_expire_time()) until = micros(level.earliest_expire_time());
    return "v" + std::to_string(level.version()) + " reserved " +
           std::to_string(level.counts().reserved()) + " until " + until;
  }
  static std::string words(int version, int reserved, const google::protobuf::Timestamp& until) {
    return "v" + std::to_string(version) + " reserved " + std::to_string(reserved) + " until " +
           micros(until);
  }
  static std::string words(int version, int reserved) {
    return "v" + std::to_string(version) + " reserved " + std::to_string(reserved) + " until ?";
  }
  static std::string micros(const google::protobuf::Timestamp& time) {
    return std::to_string(time.seconds() * 1'000'000 + time.nanos() / 1000);
  }

  static std::string from_primary(const std::string& sku) {
    const auto read = client().get(sku, "main", fully_consistent());
    EXPECT_EQ(read.response.level().provenance().layer(), v1::LAYER_PRIMARY) << read.message;
    return words(read.response.level());
  }
  static std::string of_version(const std::string& sku, std::int64_t version) {
    v1::Consistency consistency;
    consistency.set_version(version);
    const auto read = client().get(sku, "main", consistency);
    return read.ok() ? words(read.response.level()) : read.message;
  }
  // Of all keys of the location.
  static std::string from_list(const std::string& sku) {
    v1::ListStockLevelsRequest request;
    request.set_location("main");
    request.set_sku_prefix(sku);
    *request.mutable_consistency() = fully_consistent();
    const auto page = client().list(request);
    return page.response.levels_size() == 1 ? words(page.response.levels(0)) : page.message;
  }
  // Until the layer answers, and with this.
  static void expect_from(StockClient& reader, v1::Layer layer, const std::string& sku,
                          const std::string& expected) {
    EXPECT_TRUE(eventually(
        [&] {
          const auto read = reader.get(sku, "main", at_most(1h));
          return v1::Layer_Name(read.response.level().provenance().layer()) + " " +
                 words(read.response.level());
        },
        Eq(v1::Layer_Name(layer) + " " + expected)));
  }
  static v1::WatchStockLevelsRequest watch_of(const std::string& sku,
                                              const std::string& token = "") {
    v1::WatchStockLevelsRequest request;
    auto& key = *request.add_keys();
    key.set_sku(sku);
    key.set_location("main");
    request.set_resume_token(token);
    return request;
  }
  // What the watch says of the version, and the newest token.
  static std::string watched(WatchStream& watch, std::int64_t version, std::string& token) {
    std::string said;
    watch.read_until([&](const v1::WatchStockLevelsResponse& response) {
      for (const auto& change : response.changes()) {
        if (change.level().version() == version) said = words(change.level());
      }
      if (!response.resume_token().empty()) token = response.resume_token();
      return !said.empty() && !response.resume_token().empty();
    });
    return said;
  }

 private:
  static inline std::unique_ptr<StockdProcess> stockd_;
  static inline std::unique_ptr<StockClient> client_;
};

TEST_F(ServiceExpiryTest, every_layer_says_the_same_of_a_version) {
  StockdProcess by_redis(all_layers({"--layers", "redis,primary"}));
  StockdProcess by_replica(all_layers({"--layers", "replica,primary"}));
  StockClient redis_reader(by_redis.address());
  StockClient replica_reader(by_replica.address());
  ASSERT_TRUE(client().adjust("lamp", "main", 10).ok());
  std::string token;
  WatchStream watch(stockd().address(), watch_of("lamp"));
  EXPECT_EQ(watched(watch, 1, token), words(1, 0));
  const std::string before = token;

  const auto expect_everywhere = [&](int version, const std::string& expected) {
    EXPECT_EQ(from_primary("lamp"), expected);
    EXPECT_EQ(from_list("lamp"), expected);
    EXPECT_EQ(of_version("lamp", version), expected);
    expect_from(client(), v1::LAYER_MEMORY, "lamp", expected);
    expect_from(redis_reader, v1::LAYER_REDIS, "lamp", expected);
    expect_from(replica_reader, v1::LAYER_REPLICA, "lamp", expected);
    EXPECT_EQ(watched(watch, version, token), expected) << "as a change";
    WatchStream fresh(stockd().address(), watch_of("lamp"));
    EXPECT_EQ(watched(fresh, version, token), expected) << "as a current level";
    WatchStream resumed(stockd().address(), watch_of("lamp", before));
    EXPECT_EQ(watched(resumed, version, token), expected) << "as what was missed";
  };

  const v1::Reservation later = hold("lamp", 2, 3600);
  expect_everywhere(2, words(2, 2, later.expire_time()));
  const v1::Reservation sooner = hold("lamp", 3, 600);
  expect_everywhere(3, words(3, 5, sooner.expire_time()));
  // A lower bound: nobody has looked for the end of the other one.
  release(sooner);
  expect_everywhere(4, words(4, 2, sooner.expire_time()));
  release(later);
  expect_everywhere(5, words(5, 0));

  // What was true at the instants when they were committed.
  for (int version = 2; version <= 5; ++version) {
    v1::Consistency consistency;
    consistency.set_version(version);
    const auto read = client().get("lamp", "main", consistency);
    v1::Consistency then;
    *then.mutable_read_time() = read.response.level().provenance().as_of();
    EXPECT_EQ(words(client().get("lamp", "main", then).response.level()),
              words(read.response.level()));
  }
  EXPECT_EQ(of_version("lamp", 3), words(3, 5, sooner.expire_time()));
}

TEST_F(ServiceExpiryTest, a_watch_of_a_location_that_comes_back_is_told_too) {
  ASSERT_TRUE(client().adjust("vase", "main", 10).ok());
  v1::WatchStockLevelsRequest request;
  request.set_location("main");
  std::string token;
  {
    WatchStream watch(stockd().address(), request);
    EXPECT_EQ(watched(watch, 1, token), words(1, 0));
  }
  const v1::Reservation held = hold("vase", 4, 60);
  request.set_resume_token(token);
  WatchStream resumed(stockd().address(), request);
  EXPECT_EQ(watched(resumed, 2, token), words(2, 4, held.expire_time()));
}

TEST_F(ServiceExpiryTest, a_change_by_hand_is_what_the_row_says) {
  ASSERT_TRUE(client().adjust("rogue", "main", 10).ok());
  const v1::Reservation held = hold("rogue", 2, 3600);
  support::Sql sql = primary().connect();
  sql.exec("UPDATE stock.level SET on_hand = 42 WHERE sku = 'rogue'");
  const std::string kept = words(3, 2, held.expire_time());
  EXPECT_EQ(from_primary("rogue"), kept);
  EXPECT_EQ(of_version("rogue", 3), kept);
  expect_from(client(), v1::LAYER_MEMORY, "rogue", kept);

  // What comes without counts is no movement, and hence nothing.
  sql.exec("UPDATE stock.level SET earliest_expire_at = now() WHERE sku = 'rogue'");
  EXPECT_EQ(from_primary("rogue"), kept);

  sql.exec(
      "UPDATE stock.level SET on_hand = 43, earliest_expire_at = '2026-01-02 03:04:05.678901+00'"
      " WHERE sku = 'rogue'");
  const std::string changed = "v4 reserved 2 until 1767323045678901";
  EXPECT_EQ(from_primary("rogue"), changed);
  EXPECT_EQ(of_version("rogue", 4), changed);
  EXPECT_EQ(of_version("rogue", 3), kept);
  expect_from(client(), v1::LAYER_MEMORY, "rogue", changed);

  for (const char* nonsense : {"infinity", "-infinity", "epoch", "1969-12-31", "10000-01-01+00"}) {
    EXPECT_THROW(sql.exec("UPDATE stock.level SET on_hand = 44, earliest_expire_at = '" +
                          std::string(nonsense) + "' WHERE sku = 'rogue'"),
                 support::SqlError)
        << nonsense;
  }
  // So that the ledger is sound in the end.
  sql.exec(
      "UPDATE stock.level SET on_hand = 45, earliest_expire_at = (SELECT expire_at FROM"
      " stock.reservation WHERE id = '" +
      held.id() + "') WHERE sku = 'rogue'");
  release(held);
  EXPECT_EQ(from_primary("rogue"), words(6, 0));
}

TEST_F(ServiceExpiryTest, a_movement_that_says_otherwise_than_its_level_is_refused) {
  ASSERT_TRUE(client().adjust("forged", "main", 10).ok());
  support::Sql sql = primary().connect();
  const auto forge = [&](const std::string& in_movement, const std::string& in_level) {
    sql.exec(
        "WITH moved AS (INSERT INTO stock.movement (sku, location, version, kind, on_hand_delta,"
        " reserved_delta, committed_delta, safety_stock_delta, backorder_limit_delta, on_hand,"
        " reserved, committed, safety_stock, backorder_limit, earliest_expire_at)"
        " SELECT sku, location, version + 1, 'ADJUST', 1, 0, 0, 0, 0, on_hand + 1, 0, 0, 0, 0, " +
        in_movement +
        " FROM stock.level WHERE sku = 'forged' RETURNING version, on_hand)"
        " UPDATE stock.level SET version = moved.version, on_hand = moved.on_hand,"
        " earliest_expire_at = " +
        in_level + " FROM moved WHERE sku = 'forged'");
  };
  const std::string one = "'2026-01-01+00'::timestamptz";
  EXPECT_THROW(forge(one, "'2026-01-02+00'::timestamptz"), support::SqlError);
  EXPECT_THROW(forge(one, "NULL"), support::SqlError);
  forge(one, one);
  forge("NULL", one);  // it is not known, as in what was written before there was a word for it
  forge("NULL", "NULL");
  EXPECT_EQ(from_primary("forged"), words(4, 0));
}

TEST_F(ServiceExpiryTest, holds_end_whatever_was_done_to_their_levels_by_hand) {
  support::Sql sql = primary().connect();
  for (const char* sku : {"emptied", "deleted"}) {
    ASSERT_TRUE(client().adjust(sku, "main", 10).ok());
  }
  // Ended long ago as soon as they are visible, and no level says so.
  const v1::Reservation emptied = hold("emptied", 2, 3600);
  const v1::Reservation deleted = hold("deleted", 3, 3600);
  sql.exec(
      "BEGIN;"
      "UPDATE stock.level SET reserved = 0, earliest_expire_at = NULL WHERE sku = 'emptied';"
      "DELETE FROM stock.level WHERE sku = 'deleted';"
      "UPDATE stock.reservation SET expire_at = now() - interval '1 hour'"
      " WHERE skus && '{emptied,deleted}';"
      "COMMIT");
  for (const v1::Reservation& reservation : {emptied, deleted}) {
    EXPECT_TRUE(eventually(
        [&] {
          return sql.value("SELECT state FROM stock.reservation WHERE id = '" + reservation.id() +
                           "'");
        },
        Eq("EXPIRED")));
  }
  EXPECT_EQ(from_primary("emptied"), words(4, 0)) << "an entry that gives back nothing";
  EXPECT_EQ(sql.number("SELECT count(*) FROM stock.level WHERE sku = 'deleted'"), 0);
}

// More of them than one transaction gives back.
TEST_F(ServiceExpiryTest, what_many_holds_give_back_at_once_is_for_whoever_comes_next) {
  support::Sql sql = primary().connect();
  sql.exec("INSERT INTO stock.level (sku, location, on_hand) VALUES ('hot', 'main', 1500)");
  // Visible to whoever waits for the level, before anybody sweeps them.
  sql.exec(
      "BEGIN;"
      "UPDATE stock.level SET reserved = 1500, earliest_expire_at = now() - interval '1 hour'"
      " WHERE sku = 'hot';"
      "INSERT INTO stock.reservation (id, state, revision, expire_at, digest, skus, locations,"
      " quantities, fulfilled, expired)"
      " SELECT gen_random_uuid(), 'HELD', 1, now() - interval '1 hour', '', '{hot}', '{main}', "
      "'{1}',"
      " '{0}', '{false}' FROM generate_series(1, 1500)");
  auto held = std::async(std::launch::async, [] { return hold("hot", 1500, 3600); });
  EXPECT_TRUE(eventually(
      [] { return primary().connect().number("SELECT count(*) FROM pg_locks WHERE NOT granted"); },
      Gt(0)));
  sql.exec("COMMIT");
  const v1::Reservation reservation = held.get();
  EXPECT_EQ(reservation.lines_size(), 1);
  EXPECT_EQ(
      sql.number(
          "SELECT count(*) FROM stock.reservation WHERE state = 'EXPIRED' AND skus = '{hot}'"),
      1500);
}

// Of versions that were made before the ledger recorded it, until the key moves again.
TEST_F(ServiceExpiryTest, what_was_not_recorded_is_not_known) {
  ASSERT_TRUE(client().adjust("old", "main", 10).ok());
  const v1::Reservation held = hold("old", 1, 3600);
  primary().connect().exec(
      "ALTER TABLE stock.movement DISABLE TRIGGER refuse_rewriting;"
      "UPDATE stock.movement SET earliest_expire_at = NULL WHERE sku = 'old';"
      "ALTER TABLE stock.movement ENABLE ALWAYS TRIGGER refuse_rewriting");
  // The replica may tell of a version, and replays what was done by hand a moment later.
  EXPECT_TRUE(eventually([&] { return of_version("old", 2); }, Eq(words(2, 1))));
  EXPECT_EQ(from_primary("old"), words(2, 1, held.expire_time())) << "the level still says it";
  ASSERT_TRUE(client().adjust("old", "main", 1).ok());
  EXPECT_EQ(of_version("old", 3), words(3, 1, held.expire_time()));
}

TEST_F(ServiceExpiryTest, what_is_held_is_counted) {
  const auto counted = [] { return metric(stockd(), "stock_reservations_held"); };
  const auto in_the_ledger = [] {
    return static_cast<double>(
        primary().connect().number("SELECT count(*) FROM stock.reservation WHERE state = 'HELD'"));
  };
  ASSERT_TRUE(client().adjust("counted", "main", 10).ok());
  const v1::Reservation one = hold("counted", 1, 3600);
  hold("counted", 2, 3600);
  const double with_both = in_the_ledger();
  EXPECT_GE(with_both, 2);
  EXPECT_TRUE(eventually(counted, Eq(with_both)));
  release(one);
  EXPECT_TRUE(eventually(counted, Eq(with_both - 1)));
}

}  // namespace
}  // namespace stock

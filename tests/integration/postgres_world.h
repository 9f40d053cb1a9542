// What tests of the postgres room share: servers, started once per suite; and what one process
// makes of them.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "stock/clock/database_clock.h"
#include "stock/clock/local_clock.h"
#include "stock/clock/timer_thread.h"
#include "stock/feed/ledger_identity.h"
#include "stock/layers/catalogue.h"
#include "stock/postgres/asker.h"
#include "stock/postgres/database_layer.h"
#include "stock/postgres/heart.h"
#include "stock/postgres/pool.h"
#include "stock/postgres/session.h"
#include "support/eventually.h"
#include "support/fsck.h"
#include "support/postgres_server.h"

namespace stock::postgres {

using namespace std::chrono_literals;
using domain::Key;
using support::eventually;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

// What one process has, as the binary wires it.
struct World {
  clock::BootClock local;
  clock::TimerThread timers{local};
  clock::DatabaseClock clock{local};
  feed::LedgerIdentity identity;
  Knowledge knowledge{local, clock, identity};

  [[nodiscard]] domain::LocalTime in(std::chrono::milliseconds time) const {
    return local.now() + time;
  }
};

// Of a server that is only as slow as the machine.
inline SessionOptions session_options(const std::string& url) {
  return {
      .url = url, .application_name = "stockd test", .statement_timeout = 20s, .hang_limit = 30s};
}

// A database layer on a pool of its own.
struct Database {
  Database(World& world, Role role, SessionOptions options, std::size_t connections = 2)
      : world(world),
        pool({.session = std::move(options), .connections = connections, .queue = 64}, world.local,
             world.timers),
        layer(role, pool, world.timers, world.knowledge) {}

  struct Answered {
    std::vector<layers::Answer> answers;
    std::string detail;
  };
  Answered read(const std::vector<Key>& keys) {
    Answered answered;
    answered.answers.resize(keys.size());
    std::promise<std::string> done;
    layer.read(keys, answered.answers, {.deadline = world.in(support::kGenerous)},
               [&](std::string detail) { done.set_value(std::move(detail)); });
    answered.detail = done.get_future().get();
    return answered;
  }
  // Of one key; a failure of the test where there is none.
  domain::Reading reading(const Key& key) {
    const Answered answered = read({key});
    EXPECT_EQ(answered.answers[0].outcome, domain::Outcome::kHit) << answered.detail;
    return answered.answers[0].reading;
  }
  std::string error(const Key& key) { return read({key}).detail; }

  template <typename Page, typename Query>
  absl::StatusOr<Page> page(Query query, std::chrono::milliseconds patience = support::kGenerous) {
    std::promise<absl::StatusOr<Page>> promise;
    layers::PageDone<Page> done = [&](absl::StatusOr<Page> page) {
      promise.set_value(std::move(page));
    };
    const layers::ReadContext context{.deadline = world.in(patience)};
    if constexpr (std::is_same_v<Query, layers::LevelQuery>) {
      layer.levels(std::move(query), context, std::move(done));
    } else if constexpr (std::is_same_v<Query, layers::WalkQuery>) {
      layer.walk(std::move(query), context, std::move(done));
    } else if constexpr (std::is_same_v<Page, layers::MovementPage>) {
      layer.movements(std::move(query), context, std::move(done));
    } else if constexpr (std::is_same_v<Page, layers::PastPage>) {
      layer.past(std::move(query), context, std::move(done));
    } else {
      layer.locations(std::move(query), context, std::move(done));
    }
    return promise.get_future().get();
  }
  absl::StatusOr<layers::LevelPage> levels(const std::string& location = "",
                                           const std::string& prefix = "", const Key& after = {},
                                           std::int32_t limit = 100) {
    return page<layers::LevelPage>(layers::LevelQuery{location, prefix, after, limit});
  }
  absl::StatusOr<layers::LevelPage> walk(const Key& after, std::int32_t limit) {
    return page<layers::LevelPage>(layers::WalkQuery{after, limit});
  }
  absl::StatusOr<layers::MovementPage> movements(const Key& key, domain::Version before = 0,
                                                 std::int32_t limit = 100) {
    return page<layers::MovementPage>(layers::MovementQuery{key, before, limit});
  }
  absl::StatusOr<layers::LocationPage> locations(const std::string& id = "",
                                                 const std::string& after = "",
                                                 std::int32_t limit = 100) {
    return page<layers::LocationPage>(layers::LocationQuery{id, after, limit});
  }

  World& world;
  Pool pool;
  DatabaseLayer layer;
};

// A suite with a primary whose ledger has begun: location "main" and an incarnation.
class PostgresTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    primary_ = std::make_unique<support::PostgresServer>();
    damaged_ = false;
    primary_->connect().exec(
        "INSERT INTO stock.location VALUES ('main', 'Main'), ('north', 'North');"
        "INSERT INTO stock.incarnation (id) VALUES (4711)");
  }
  static void TearDownTestSuite() {
    sql_.reset();
    if (!damaged_) support::expect_sound_ledger(*primary_);
    primary_.reset();
  }

  // On purpose: it is not to be sound in the end.
  static void damage_ledger() { damaged_ = true; }

  static support::PostgresServer& primary() { return *primary_; }
  // As superuser, on a connection that is kept.
  static support::Sql& sql() {
    if (!sql_) sql_ = std::make_unique<support::Sql>(primary_->connect());
    return *sql_;
  }
  static void sql(const std::string& statements) { sql().exec(statements); }

  SessionOptions options() const { return session_options(primary_->url()); }
  Database database() { return Database(world_, Role::kPrimary, options()); }

  World world_;

 private:
  static inline std::unique_ptr<support::PostgresServer> primary_;
  static inline std::unique_ptr<support::Sql> sql_;
  static inline bool damaged_ = false;
};

// Quoted for SQL.
inline std::string literal(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace stock::postgres

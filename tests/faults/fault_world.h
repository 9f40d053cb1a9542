// A fleet of stockds on one ledger, behind gates that a test can shut, with a swarm of clients that
// writes down what it is told; and the judgement at the end.
//
//   world.run([&] { world.redis.kill9(); ... });
//
// What a test does while the swarm goes on is a fault; the swarm's answers, not time, say when it
// has lasted long enough.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/history_checker.h"
#include "support/postgres_server.h"
#include "support/redis_server.h"
#include "support/stockd_process.h"
#include "support/swarm.h"
#include "support/tcp_gate.h"

namespace stock::faults {

// One stockd with its own lines to the servers.
struct Member {
  std::unique_ptr<support::TcpGate> primary;
  std::unique_ptr<support::TcpGate> replica;
  std::unique_ptr<support::TcpGate> redis;
  std::unique_ptr<support::StockdProcess> stockd;
};

class FaultWorld {
 public:
  struct Options {
    int stockds = 2;
    std::vector<std::string> flags = {};  // further ones, of each stockd
    int clients = 6;
    std::uint64_t writes = 23;               // of a hundred calls
    bool haunted = false;                    // old copies come back in Redis all the time
    std::optional<std::uint64_t> seed = {};  // else that of the environment, or any
  };
  explicit FaultWorld(const Options& options);

  // Runs a swarm over keys that nobody used before, with `faults` meanwhile, and judges what it was
  // told. Before and after, all must be well: everything is answered by everyone.
  void run(const std::function<void(support::Swarm&)>& faults);

  // Until so many more calls have been answered, in spite of everything.
  void await_answers(std::uint64_t more);
  // Until so many more calls have ended: for faults in which hardly anything can be answered.
  void await_calls(std::uint64_t more);
  // Until each stockd answers a fully consistent read again, and takes a write.
  void await_recovery();

  // Until each stockd knows as many incidents to be open, layer by layer, as are on record.
  void await_incidents_as_recorded();

  // Until each stockd has examined more, layer by layer; and none has ever accused a layer of a
  // lie, nor has its self-test failed.
  void expect_nobody_accused();

  // For all stockds at once.
  void each(const std::function<void(Member&)>& change);

  // Kills the primary; the replica takes over. What had not been sent to it is lost.
  void fail_over();
  // Whoever holds the leader's lock; nobody, when there is none at the moment.
  Member* leader();

  // The primary, or the replica after a failover.
  [[nodiscard]] support::PostgresServer& serving_primary();

  // ---- What a run was made of, added up over all runs of this world.
  struct Figures {
    std::uint64_t answers = 0;
    std::uint64_t failures = 0;
    std::uint64_t levels = 0;
    std::uint64_t claims = 0;
    std::uint64_t false_claims = 0;
    std::map<std::string, std::uint64_t> levels_by_layer;
    std::map<support::Asked, std::uint64_t> reads_by_asked;
    std::uint64_t totals = 0;
    std::uint64_t carts = 0;
    std::uint64_t changes = 0;    // told to watches
    std::uint64_t movements = 0;  // told to streams of them

    Figures& operator+=(const Figures& more);
    [[nodiscard]] std::string text() const;
  };
  Figures figures;

  std::unique_ptr<support::PostgresServer> primary;
  // The line from the primary to the replica.
  std::unique_ptr<support::TcpGate> replication;
  std::unique_ptr<support::PostgresReplica> replica;
  std::unique_ptr<support::RedisServer> redis;
  std::vector<Member> members;

  // Of the swarm under way.
  std::vector<domain::Key> keys;
  std::uint64_t seed;

 private:
  support::Swarm::Options swarm_options();
  void judge(support::History history);

  const Options options_;
  int runs_ = 0;
  // After a failover: when the old primary was dead.
  std::optional<domain::LocalTime> failed_over_;
  // The same to the swarm's threads, which ask while it happens.
  std::atomic<bool> replica_serves_ = false;
  std::unique_ptr<support::Swarm> swarm_;
};

// From STOCK_FAULTS_SEED, else at random.
std::uint64_t fault_seed();

}  // namespace stock::faults

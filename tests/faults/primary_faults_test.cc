// The ledger's server dies, hangs and comes back; and what it forgets by that.
#include "faults/fault_test.h"

namespace stock::faults {
namespace {

// Answers while the primary is away: from copies, as old as they are, and to those who take them
// so.
constexpr std::uint64_t kAway = 60;

class PrimaryFaultsTest : public FaultTest {};

// The incarnation is lost, and transaction numbers that were given out are given out again.
TEST_F(PrimaryFaultsTest, killed_and_restarted) {
  world().run([](Swarm&) {
    for (int i = 0; i < 2; ++i) {
      world().primary->kill9();
      world().await_calls(kAway);
      world().primary->start();
      world().await_recovery();
      world().await_answers(kLasting / 2);
    }
  });
}

TEST_F(PrimaryFaultsTest, stopped_cleanly_and_restarted) {
  world().run([](Swarm&) {
    world().primary->stop();
    world().await_calls(kAway);
    world().primary->start();
    world().await_recovery();
    world().await_answers(kLasting / 2);
  });
}

TEST_F(PrimaryFaultsTest, silent_for_a_while) {
  world().run([](Swarm&) {
    for (int i = 0; i < 2; ++i) {
      world().primary->sigstop();
      world().await_calls(kAway);
      world().primary->sigcont();
      world().await_recovery();
    }
  });
}

TEST_F(PrimaryFaultsTest, killed_while_the_replica_stands_still) {
  world().run([](Swarm&) {
    world().replica->connect().exec("SELECT pg_wal_replay_pause()");
    world().await_answers(kLasting / 2);
    world().primary->kill9();
    world().await_calls(kAway);
    world().primary->start();
    world().await_recovery();
    world().await_answers(kLasting / 2);
    world().replica->connect().exec("SELECT pg_wal_replay_resume()");
    world().await_answers(kLasting / 2);
  });
}

}  // namespace
}  // namespace stock::faults

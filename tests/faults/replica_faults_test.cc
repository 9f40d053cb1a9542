// The replica falls behind in every way that it can.
#include "faults/fault_test.h"

namespace stock::faults {
namespace {

class ReplicaFaultsTest : public FaultTest {};

TEST_F(ReplicaFaultsTest, replay_stands_still_and_goes_on) {
  world().run([](Swarm&) {
    for (int i = 0; i < 3; ++i) {
      world().replica->connect().exec("SELECT pg_wal_replay_pause()");
      world().await_answers(kLasting / 2);
      world().replica->connect().exec("SELECT pg_wal_replay_resume()");
      world().await_answers(kLasting / 4);
    }
  });
}

TEST_F(ReplicaFaultsTest, killed_and_restarted) {
  world().run([](Swarm&) {
    world().replica->kill9();
    world().await_answers(kLasting / 2);
    world().replica->start();
    world().await_answers(kLasting / 2);
  });
}

TEST_F(ReplicaFaultsTest, silent_for_a_while) {
  world().run([](Swarm&) {
    world().replica->sigstop();
    world().await_answers(kLasting / 2);
    world().replica->sigcont();
    world().await_answers(kLasting / 2);
  });
}

TEST_F(ReplicaFaultsTest, cut_off_from_the_primary) {
  world().run([](Swarm&) {
    world().replication->stall();
    world().await_answers(kLasting / 2);
    world().replication->cut();
    world().await_answers(kLasting / 2);
    world().replication->open();
    world().await_answers(kLasting / 2);
  });
}

TEST_F(ReplicaFaultsTest, behind_a_slow_line) {
  world().run([](Swarm&) {
    world().replication->delay(100ms);
    world().each([](Member& member) { member.replica->delay(20ms); });
    world().await_answers(kLasting);
    world().replication->open();
    world().each([](Member& member) { member.replica->open(); });
  });
}

}  // namespace
}  // namespace stock::faults

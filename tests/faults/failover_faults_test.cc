// The primary dies for good and the replica takes its place. Without synchronous replication that
// loses what had been acknowledged and not yet sent: nothing else may be lost, nothing of it may be
// said as if it held, and whoever asks for it by its token is told.
#include "faults/fault_test.h"

namespace stock::faults {
namespace {

class FailoverFaultsTest : public FaultTest {};

TEST_F(FailoverFaultsTest, acknowledged_writes_are_lost_and_nobody_pretends) {
  world().run([](Swarm&) {
    world().replication->stall();
    world().await_answers(kLasting);
    world().fail_over();
    world().await_recovery();
    world().await_answers(2 * kLasting);
  });
}

class CaughtUpFailoverFaultsTest : public FaultTest {};

TEST_F(CaughtUpFailoverFaultsTest, a_replica_that_follows_takes_over) {
  world().run([](Swarm&) {
    world().await_answers(kLasting);
    world().fail_over();
    world().await_recovery();
    world().await_answers(kLasting);
  });
}

}  // namespace
}  // namespace stock::faults

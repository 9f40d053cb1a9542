// The primary dies for good and the replica takes its place. Without synchronous replication that
// loses what had been acknowledged and not yet sent: nothing else may be lost, nothing of it may be
// said as if it held, and whoever asks for it by its token is told.
#include "faults/fault_test.h"

namespace stock::faults {
namespace {

class FailoverFaultsTest : public FaultTest {
 protected:
  // Of a process that is not there, and is missed an hour from now.
  static void open_an_incident() {
    world().primary->connect().exec(
        "INSERT INTO stock.incident (id, revision, layer, verdict, sku, location, claim_exists,"
        " claim_version, claim_counts, claim_as_of, claim_true_through, asked_after, asked_before,"
        " units, versions, behind, superseded_by, truth_exists, truth_version, truth_counts,"
        " witnesses, standing, standing_sku, standing_location, keys, grouped, opened_at,"
        " last_seen_at, merged_into) SELECT nextval('stock.incident_id'),"
        " nextval('stock.incident_revision'), 'memory', 'wrong_count', 'lost', 'main', true, 1,"
        " '{9,0,0,0,0}', 0, 0, now(), now(), 4, 0, '0', 0, true, 1, '{5,0,0,0,0}', '{memory@gone}',"
        " '{memory@gone}', '{lost}', '{main}', 1, false, now(), now() + interval '1 hour', 0");
  }
};

TEST_F(FailoverFaultsTest, acknowledged_writes_are_lost_and_nobody_pretends) {
  world().run([](Swarm&) {
    world().replication->stall();
    open_an_incident();
    world().await_incidents_as_recorded();
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

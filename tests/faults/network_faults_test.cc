// Lines between the stockds and the databases: slow, broken, silent; for all, and for one alone.
#include "faults/fault_test.h"

namespace stock::faults {
namespace {

class NetworkFaultsTest : public FaultTest {};

TEST_F(NetworkFaultsTest, slow_lines_to_the_primary) {
  world().run([](Swarm&) {
    world().each([](Member& member) { member.primary->delay(15ms); });
    world().await_answers(kLasting);
    world().each([](Member& member) { member.primary->open(); });
  });
}

// Longer than anybody waits.
TEST_F(NetworkFaultsTest, lines_to_the_databases_that_take_seconds) {
  world().run([](Swarm&) {
    world().each([](Member& member) { member.primary->delay(1s); });
    world().await_calls(kLasting / 8);
    world().each([](Member& member) { member.replica->delay(1s); });
    world().await_calls(kLasting / 8);
    world().each([](Member& member) {
      member.primary->open();
      member.replica->open();
    });
  });
}

TEST_F(NetworkFaultsTest, the_databases_are_cut_off) {
  world().run([](Swarm&) {
    world().each([](Member& member) { member.primary->cut(); });
    world().await_calls(kLasting / 8);
    world().each([](Member& member) { member.replica->cut(); });
    world().await_calls(kLasting / 8);
    world().each([](Member& member) {
      member.primary->open();
      member.replica->open();
    });
  });
}

TEST_F(NetworkFaultsTest, connections_to_the_databases_are_reset) {
  world().run([](Swarm&) {
    for (int i = 0; i < 8; ++i) {
      world().each([](Member& member) {
        member.primary->reset_connections();
        member.replica->reset_connections();
      });
      world().await_answers(kLasting / 8);
    }
  });
}

// Also in the middle of the answer to a COMMIT.
TEST_F(NetworkFaultsTest, replies_of_the_primary_break_off) {
  world().run([](Swarm&) {
    for (const std::size_t bytes : {900, 2500, 6000, 20000}) {
      world().each([&](Member& member) { member.primary->break_replies(bytes); });
      world().await_answers(kLasting / 8);
    }
    world().each([](Member& member) { member.primary->open(); });
  });
}

// It hears nothing of the ledger while others change it, and grows old in plain sight.
TEST_F(NetworkFaultsTest, one_stockd_is_alone) {
  world().run([](Swarm&) {
    Member& alone = world().members[0];
    for (const auto& line : {&alone.primary, &alone.replica}) (*line)->stall();
    world().await_answers(kLasting);
    for (const auto& line : {&alone.primary, &alone.replica}) (*line)->open();
    world().await_recovery();
    alone.primary->cut();
    world().await_answers(kLasting);
    alone.primary->open();
  });
}

}  // namespace
}  // namespace stock::faults

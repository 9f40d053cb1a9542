// A stockd stands still, wakes up, dies and starts: any one, and the one that leads.
#include "faults/fault_test.h"

namespace stock::faults {
namespace {

class ProcessFaultsTest : public FaultTest {
 protected:
  static void SetUpTestSuite() { begin({.stockds = 3}); }

  static Member& leader() {
    Member* leader = nullptr;
    EXPECT_TRUE(eventually([&] { return (leader = world().leader()) != nullptr; }));
    return leader == nullptr ? world().members[0] : *leader;
  }
};

TEST_F(ProcessFaultsTest, one_stands_still_and_wakes_up) {
  world().run([](Swarm&) {
    for (Member& member : world().members) {
      member.stockd->sigstop();
      world().await_answers(kLasting / 2);
      member.stockd->sigcont();
      world().await_answers(kLasting / 4);
    }
  });
}

TEST_F(ProcessFaultsTest, the_leader_stands_still_until_another_one_leads) {
  world().run([](Swarm&) {
    for (int i = 0; i < 2; ++i) {
      Member& stopped = leader();
      stopped.stockd->sigstop();
      EXPECT_TRUE(eventually([&] {
        Member* now = world().leader();
        return now != nullptr && now != &stopped;
      }));
      world().await_answers(kLasting / 4);
      stopped.stockd->sigcont();
      world().await_answers(kLasting / 4);
    }
  });
}

TEST_F(ProcessFaultsTest, the_leader_is_killed) {
  world().run([](Swarm&) {
    Member& killed = leader();
    killed.stockd->kill9();
    world().await_answers(kLasting / 2);
    killed.stockd->start();
    world().await_answers(kLasting / 4);
  });
}

// Between a commit and the copy that was to be set after it.
TEST_F(ProcessFaultsTest, one_is_killed_again_and_again_while_it_writes) {
  world().run([](Swarm&) {
    for (int i = 0; i < 6; ++i) {
      Member& killed = world().members[static_cast<std::size_t>(i) % world().members.size()];
      killed.stockd->kill9();
      world().await_answers(kLasting / 8);
      killed.stockd->start();
      world().await_answers(kLasting / 8);
    }
  });
}

// Longer than a copy in Redis is old, or a session idle: what it knew is from another time.
TEST_F(ProcessFaultsTest, one_stands_still_for_a_minute) {
  world().run([](Swarm&) {
    Member& stopped = world().members[0];
    support::Sql sql = world().primary->connect();
    const std::int64_t until = sql.number("SELECT extract(epoch FROM now())::bigint") + 60;
    stopped.stockd->sigstop();
    EXPECT_TRUE(eventually([&] { return sql.number("SELECT extract(epoch FROM now())::bigint"); },
                           Ge(until), 3 * support::kGenerous));
    stopped.stockd->sigcont();
    world().await_answers(kLasting);
  });
}

TEST_F(ProcessFaultsTest, all_are_restarted_in_turn) {
  world().run([](Swarm&) {
    for (Member& member : world().members) {
      EXPECT_EQ(member.stockd->stop(), 0);
      world().await_answers(kLasting / 8);
      member.stockd->start();
    }
    world().await_answers(kLasting / 4);
  });
}

}  // namespace
}  // namespace stock::faults

// Redis in every state that a cache can be in. None of it can make an answer false.
#include "faults/fault_test.h"
#include "faults/hoarder.h"

namespace stock::faults {
namespace {

class RedisFaultsTest : public FaultTest {};

TEST_F(RedisFaultsTest, nothing_is_wrong) {
  world().run([](Swarm&) { world().await_answers(kLasting); });
  for (const char* layer : {"memory", "redis", "replica", "primary"}) {
    EXPECT_GT(world().figures.levels_by_layer[layer], 0u) << layer << " was never heard";
  }
  for (const auto asked : {support::Asked::kBounded, support::Asked::kFullyConsistent}) {
    EXPECT_GT(world().figures.reads_by_asked[asked], 0u);
  }
}

TEST_F(RedisFaultsTest, killed_and_restarted_empty) {
  world().run([](Swarm&) {
    for (int i = 0; i < 3; ++i) {
      world().redis->kill9();
      world().await_answers(kLasting / 4);
      world().redis->start();
      world().await_answers(kLasting / 4);
    }
  });
}

TEST_F(RedisFaultsTest, flushed_again_and_again) {
  world().run([](Swarm&) {
    for (int i = 0; i < 20; ++i) {
      world().redis->command({"FLUSHALL"});
      world().await_answers(kLasting / 20);
    }
  });
}

TEST_F(RedisFaultsTest, stopped_for_a_while) {
  world().run([](Swarm&) {
    for (int i = 0; i < 2; ++i) {
      world().redis->sigstop();
      world().await_answers(kLasting / 2);
      world().redis->sigcont();
      world().await_answers(kLasting / 4);
    }
  });
}

TEST_F(RedisFaultsTest, full_and_evicting) {
  world().run([](Swarm&) {
    Hoarder hoarder(world().redis->port());
    hoarder.limit_memory("allkeys-random");
    world().await_answers(kLasting / 2);
    hoarder.limit_memory("noeviction");  // refuses every write
    world().await_answers(kLasting / 2);
    hoarder.lift_limit();
  });
}

// A late fill, a set after its invalidation, a replica of the cache that missed writes: copies of
// any age come back at any time, also where a newer one had been.
TEST_F(RedisFaultsTest, old_copies_come_back) {
  world().run([](Swarm& swarm) {
    Hoarder hoarder(world().redis->port());
    for (const std::uint64_t until = swarm.answered() + 4 * kLasting; swarm.answered() < until;) {
      hoarder.take();
      hoarder.put_back_any(world().seed + swarm.answered());
      world().await_answers(5);
    }
    EXPECT_GT(hoarder.put_back(), 100u);
  });
}

TEST_F(RedisFaultsTest, a_newer_copy_is_evicted_before_a_late_fill) {
  world().run([](Swarm&) {
    Hoarder hoarder(world().redis->port());
    for (int i = 0; i < 20; ++i) {
      hoarder.take();
      world().await_answers(kLasting / 20);
      world().redis->command({"FLUSHALL"});
      hoarder.put_back_oldest();
      world().await_answers(kLasting / 20);
    }
    EXPECT_GT(hoarder.put_back(), 100u);
  });
}

TEST_F(RedisFaultsTest, behind_a_line_that_is_slow_and_breaks_in_the_middle_of_replies) {
  world().run([](Swarm&) {
    world().each([](Member& member) { member.redis->delay(5ms); });
    world().await_answers(kLasting / 2);
    world().each([](Member& member) { member.redis->break_replies(300); });
    world().await_answers(kLasting / 2);
    world().each([](Member& member) { member.redis->stall(); });
    world().await_answers(kLasting / 4);
    world().each([](Member& member) { member.redis->open(); });
  });
}

// A replica of the cache that missed writes takes over; for one stockd the old master goes on
// answering.
TEST_F(RedisFaultsTest, failed_over_to_one_that_missed_writes) {
  support::RedisServer other;
  world().run([&](Swarm&) {
    Hoarder before(world().redis->port());
    Hoarder after(other.port());
    for (int i = 0; i < 4; ++i) {
      before.take();
      after.taken = before.taken;
      world().await_answers(kLasting / 8);
      after.put_back_oldest();
      for (std::size_t m = 1; m < world().members.size(); ++m) {
        world().members[m].redis->point_to(other.port());
        world().members[m].redis->reset_connections();
      }
      world().await_answers(kLasting / 8);
      world().each([&](Member& member) {
        member.redis->point_to(world().redis->port());
        member.redis->reset_connections();
      });
    }
    EXPECT_GT(after.put_back(), 50u);
  });
}

TEST_F(RedisFaultsTest, cut_off_and_slowed_to_seconds) {
  world().run([](Swarm&) {
    world().each([](Member& member) { member.redis->cut(); });
    world().await_answers(kLasting / 2);
    world().each([](Member& member) { member.redis->open(); });
    world().each([](Member& member) { member.redis->delay(1s); });
    world().await_answers(kLasting / 2);
    world().each([](Member& member) { member.redis->open(); });
  });
}

}  // namespace
}  // namespace stock::faults

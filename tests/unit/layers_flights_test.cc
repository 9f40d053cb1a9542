#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>

#include "stock/clock/timer_thread.h"
#include "stock/layers/flights.h"
#include "support/fake_layer.h"
#include "support/manual_clock.h"
#include "support/manual_timers.h"

namespace stock::layers {
namespace {

using domain::Key;
using domain::Outcome;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const Key kA{"A", "main"};
const Key kB{"B", "main"};
const Key kC{"C", "main"};

domain::Reading reading_of(domain::Version version) {
  return {.exists = true, .version = version, .counts = {.on_hand = version}};
}

// One read and what came of it.
struct Asked {
  explicit Asked(std::vector<Key> wanted) : keys(std::move(wanted)), answers(keys.size()) {}
  std::vector<Key> keys;
  std::vector<Answer> answers;
  int done = 0;
  std::string detail;
};

class FlightsTest : public ::testing::Test {
 protected:
  std::unique_ptr<Asked> ask(std::vector<Key> keys, const ReadContext& context = {}) {
    auto asked = std::make_unique<Asked>(std::move(keys));
    flights_.read(asked->keys, asked->answers, context,
                  [asked = asked.get()](const std::string& detail) {
                    ++asked->done;
                    asked->detail = detail;
                  });
    return asked;
  }

  support::ManualClock clock_;
  support::ManualTimers timers_{clock_};
  support::FakeLayer layer_{"primary"};
  Flights flights_{
      layer_, clock_, timers_, {.max_flights = 1, .max_batch = 2, .timeout = milliseconds(100)}};
};

TEST_F(FlightsTest, a_lone_read_leaves_at_once) {
  layer_.says(kA, reading_of(1));
  const auto asked = ask({kA});
  EXPECT_EQ(asked->done, 1);
  EXPECT_EQ(asked->answers[0].outcome, Outcome::kHit);
  EXPECT_EQ(asked->answers[0].reading.version, 1);
}

TEST_F(FlightsTest, many_readers_of_one_key_make_one_read_while_one_is_under_way) {
  layer_.hold();
  layer_.says(kA, reading_of(1));
  const auto first = ask({kA});
  std::vector<std::unique_ptr<Asked>> readers;
  for (int i = 0; i < 100; ++i) readers.push_back(ask({kA}));
  EXPECT_THAT(layer_.reads(), SizeIs(1));

  layer_.release();
  EXPECT_THAT(layer_.reads(), SizeIs(2));
  layer_.release();
  EXPECT_THAT(layer_.reads(), SizeIs(2));
  EXPECT_EQ(first->done, 1);
  for (const auto& reader : readers) EXPECT_EQ(reader->done, 1);
  EXPECT_EQ(readers[0]->answers[0].outcome, Outcome::kHit);
  EXPECT_EQ(readers[99]->answers[0].outcome, Outcome::kCoalesced);
}

// The interleaving: a read leaves, the key moves, a second read arrives, the first comes back.
// Joining the first would answer the second with what was true before it asked.
TEST_F(FlightsTest, a_read_never_joins_a_flight_that_has_left) {
  layer_.hold();
  layer_.says(kA, reading_of(1));
  const auto before = ask({kA});
  const auto after = ask({kA});
  layer_.release();
  layer_.says(kA, reading_of(2));
  EXPECT_EQ(before->answers[0].reading.version, 1);
  EXPECT_EQ(after->done, 0);
  layer_.release();
  EXPECT_EQ(after->answers[0].reading.version, 2);
}

TEST_F(FlightsTest, what_is_waiting_goes_together_up_to_the_largest_batch) {
  layer_.hold();
  const auto first = ask({kA});
  const auto a = ask({kA});
  const auto b = ask({kB});
  const auto c = ask({kC});
  EXPECT_EQ(flights_.waiting(), 3);
  EXPECT_EQ(flights_.under_way(), 1);
  layer_.release();
  layer_.release();
  layer_.release();
  EXPECT_THAT(layer_.reads(), ElementsAre(ElementsAre(kA), ElementsAre(kA, kB), ElementsAre(kC)));
  EXPECT_EQ(c->done, 1);
}

class CompanyFlightsTest : public FlightsTest {
 protected:
  std::unique_ptr<Asked> ask_for(std::vector<Key> keys) {
    auto asked = std::make_unique<Asked>(std::move(keys));
    several_.read(asked->keys, asked->answers, {},
                  [asked = asked.get()](const std::string&) { ++asked->done; });
    return asked;
  }

  Flights several_{layer_,
                   clock_,
                   timers_,
                   {.max_flights = 3,
                    .max_batch = 64,
                    .company = 2,
                    .hurry = milliseconds(1),
                    .timeout = milliseconds(100)}};
};

TEST_F(CompanyFlightsTest, beside_others_a_flight_waits_for_company) {
  layer_.hold();
  const auto a = ask_for({kA});
  const auto b = ask_for({kB});
  EXPECT_EQ(several_.under_way(), 1);
  const auto c = ask_for({kC});
  EXPECT_THAT(layer_.reads(), ElementsAre(ElementsAre(kA), ElementsAre(kB, kC)));
  // Beside two it is twice as many.
  const auto more = ask_for({kA, kB, kC});
  EXPECT_EQ(several_.under_way(), 2);
  // Whoever comes back makes room for those who wait.
  layer_.release();
  EXPECT_THAT(layer_.reads(), ElementsAre(ElementsAre(kA), ElementsAre(kB, kC), SizeIs(3)));
  while (layer_.release()) continue;
  EXPECT_EQ(a->done + b->done + c->done + more->done, 4);
}

TEST_F(CompanyFlightsTest, the_last_one_that_comes_back_takes_whoever_waits) {
  layer_.hold();
  const auto a = ask_for({kA});
  const auto b = ask_for({kB});
  EXPECT_EQ(several_.under_way(), 1);
  layer_.release();
  EXPECT_THAT(layer_.reads(), ElementsAre(ElementsAre(kA), ElementsAre(kB)));
  layer_.release();
  EXPECT_EQ(a->done + b->done, 2);
}

// As when a connection hangs: those who come later are not kept by it.
TEST_F(CompanyFlightsTest, beside_one_that_takes_long_a_lone_key_leaves_and_takes_those_who_wait) {
  layer_.hold();
  const auto a = ask_for({kA});
  const auto b = ask_for({kB});
  clock_.advance(milliseconds(1));
  const auto c = ask_for({kC});
  EXPECT_THAT(layer_.reads(), ElementsAre(ElementsAre(kA), ElementsAre(kB, kC)));
  while (layer_.release()) continue;
  EXPECT_EQ(a->done + b->done + c->done, 3);
}

// Where reads may wait for longer than they are to.
class BusyFlightsTest : public FlightsTest {
 protected:
  std::unique_ptr<Asked> ask_busy(std::vector<Key> keys) {
    auto asked = std::make_unique<Asked>(std::move(keys));
    busy_.read(asked->keys, asked->answers, {}, [asked = asked.get()](const std::string& detail) {
      ++asked->done;
      asked->detail = detail;
    });
    return asked;
  }

  Flights busy_{layer_,
                clock_,
                timers_,
                {.max_flights = 1,
                 .max_batch = 2,
                 .timeout = std::chrono::seconds(10),
                 .target_wait = milliseconds(10)}};
};

TEST_F(BusyFlightsTest, while_all_wait_for_too_long_only_the_next_flight_may_be_waited_for) {
  layer_.hold();
  const auto under_way = ask_busy({kA});
  const auto first = ask_busy({kA});
  clock_.advance(milliseconds(100));  // in which the one under way did not wait
  const auto second = ask_busy({kB});
  EXPECT_EQ(second->done, 0);
  clock_.advance(milliseconds(100));
  const auto refused = ask_busy({kC, kA});
  EXPECT_EQ(busy_.waiting_limit(), 2U);
  ASSERT_EQ(refused->done, 1);
  EXPECT_EQ(refused->answers[0].outcome, Outcome::kRefused);
  EXPECT_EQ(refused->answers[1].outcome, Outcome::kRefused);
  EXPECT_EQ(refused->detail, "not asked, too many reads wait for primary");
  EXPECT_EQ(busy_.waiting(), 2);
  const auto joined = ask_busy({kB, kA});  // others wait for these
  EXPECT_EQ(joined->done, 0);

  layer_.release();
  layer_.release();
  EXPECT_EQ(second->done, 1);
  EXPECT_EQ(joined->done, 1);
  // Nobody waits any more.
  clock_.advance(milliseconds(100));
  const auto later = ask_busy({kC});
  layer_.release();
  clock_.advance(milliseconds(100));
  const auto last = ask_busy({kC});
  layer_.release();
  EXPECT_EQ(later->answers[0].outcome, Outcome::kMiss);
  EXPECT_EQ(last->answers[0].outcome, Outcome::kMiss);
  EXPECT_GT(busy_.waiting_limit(), 2U);
}

TEST_F(FlightsTest, a_read_larger_than_a_batch_is_answered_when_all_of_it_is) {
  layer_.hold();
  layer_.says(kC, reading_of(3));
  const auto asked = ask({kA, kB, kC});
  layer_.release();
  EXPECT_EQ(asked->done, 0);
  layer_.release();
  EXPECT_EQ(asked->done, 1);
  EXPECT_EQ(asked->answers[2].reading.version, 3);
}

TEST_F(FlightsTest, a_layer_that_never_answers_costs_its_timeout) {
  layer_.hold();
  const auto asked = ask({kA});
  clock_.advance(milliseconds(99));
  timers_.run_due();
  EXPECT_EQ(asked->done, 0);
  clock_.advance(milliseconds(1));
  timers_.run_due();
  EXPECT_EQ(asked->done, 1);
  EXPECT_EQ(asked->answers[0].outcome, Outcome::kTimeout);
  EXPECT_EQ(asked->detail, "primary did not answer in time");
}

TEST_F(FlightsTest, an_answer_after_the_timeout_is_dropped) {
  layer_.hold();
  layer_.says(kA, reading_of(1));
  auto asked = ask({kA});
  clock_.advance(milliseconds(100));
  timers_.run_due();
  asked.reset();  // its buffers are gone
  layer_.release();
  EXPECT_EQ(flights_.under_way(), 0);
}

TEST_F(FlightsTest, the_callers_deadline_counts_when_it_comes_first) {
  layer_.hold();
  const auto patient = ask({kA});
  const auto hurried = ask({kB}, {.deadline = clock_.now() + milliseconds(10)});
  clock_.advance(milliseconds(10));
  timers_.run_due();
  EXPECT_EQ(hurried->done, 1);
  EXPECT_EQ(hurried->answers[0].outcome, Outcome::kTimeout);
  EXPECT_EQ(patient->done, 0);
}

TEST_F(FlightsTest, a_caller_that_has_gone_is_not_flown) {
  layer_.hold();
  const auto first = ask({kA});
  std::atomic<bool> cancelled{false};
  const auto gone = ask({kB}, {.cancelled = &cancelled});
  cancelled = true;
  layer_.release();
  EXPECT_EQ(gone->done, 1);
  EXPECT_THAT(layer_.reads(), ElementsAre(ElementsAre(kA)));
}

TEST_F(FlightsTest, a_key_is_flown_for_those_who_still_wait_for_it) {
  layer_.hold();
  layer_.says(kB, reading_of(2));
  const auto first = ask({kA});
  std::atomic<bool> cancelled{false};
  const auto gone = ask({kB, kC}, {.cancelled = &cancelled});
  const auto joined = ask({kB});
  cancelled = true;
  layer_.release();
  layer_.release();
  EXPECT_THAT(layer_.reads(), ElementsAre(ElementsAre(kA), ElementsAre(kB)));
  EXPECT_EQ(gone->done, 1);
  EXPECT_EQ(gone->answers[0].outcome, Outcome::kTimeout);
  EXPECT_EQ(joined->done, 1);
  EXPECT_EQ(joined->answers[0].outcome, Outcome::kCoalesced);
  EXPECT_EQ(joined->answers[0].reading.version, 2);
}

TEST_F(FlightsTest, what_has_come_in_time_stays_when_the_rest_does_not) {
  layer_.hold();
  layer_.says(kA, reading_of(1));
  const auto asked = ask({kA, kB, kC});
  layer_.release();
  clock_.advance(milliseconds(100));
  timers_.run_due();
  ASSERT_EQ(asked->done, 1);
  EXPECT_EQ(asked->answers[0].outcome, Outcome::kHit);
  EXPECT_EQ(asked->answers[1].outcome, Outcome::kMiss);
  EXPECT_EQ(asked->answers[2].outcome, Outcome::kTimeout);
  layer_.release();
  EXPECT_EQ(asked->done, 1);
}

TEST_F(FlightsTest, a_key_that_has_left_and_is_wanted_again_waits_anew) {
  layer_.hold();
  for (int round = 0; round < 3; ++round) {
    const auto under_way = ask({kA});
    const auto first = ask({kA, kB});
    const auto second = ask({kB, kA});
    EXPECT_EQ(flights_.waiting(), 2);
    layer_.release();
    EXPECT_EQ(flights_.waiting(), 0);
    layer_.release();
    EXPECT_EQ(under_way->done + first->done + second->done, 3);
  }
  EXPECT_THAT(layer_.reads(), SizeIs(6));
}

TEST_F(FlightsTest, an_answered_read_leaves_no_timer_but_the_one_that_is_armed) {
  layer_.says(kA, reading_of(1));
  for (int i = 0; i < 10; ++i) ask({kA});
  EXPECT_LE(timers_.armed(), 1U);
  clock_.advance(milliseconds(200));
  timers_.run_due();
  EXPECT_EQ(timers_.armed(), 0U);
}

TEST_F(FlightsTest, a_failure_and_its_reason_reach_everyone) {
  layer_.hold();
  layer_.fails(Outcome::kError, "connection refused");
  const auto first = ask({kA});
  const auto second = ask({kA, kB});
  layer_.release();
  layer_.release();
  EXPECT_EQ(first->detail, "connection refused");
  EXPECT_EQ(second->detail, "connection refused");
  EXPECT_EQ(second->answers[1].outcome, Outcome::kError);
}

TEST_F(FlightsTest, no_keys_are_answered_at_once) {
  EXPECT_EQ(ask({})->done, 1);
  EXPECT_THAT(layer_.reads(), IsEmpty());
}

// It outlives the reads under way, and no more than that.
TEST(FlightsLifeTest, whoever_is_told_last_may_end_it) {
  support::ManualClock clock;
  support::ManualTimers timers(clock);
  support::FakeLayer layer("redis");
  layer.hold();
  auto flights = std::make_unique<Flights>(layer, clock, timers, Flights::Options{});
  Asked asked({kA});
  flights->read(asked.keys, asked.answers, {}, [&](const std::string&) {
    ++asked.done;
    flights.reset();
  });
  EXPECT_TRUE(layer.release());
  EXPECT_EQ(asked.done, 1);
  EXPECT_EQ(flights, nullptr);
}

TEST(FlightsConcurrencyTest, every_read_is_answered_once_whatever_the_threads_do) {
  const clock::BootClock clock;
  clock::TimerThread timers(clock);
  support::FakeLayer layer("redis");
  layer.says(kA, reading_of(1));
  std::atomic<int> answered{0};
  {
    Flights flights(layer, clock, timers,
                    {.max_flights = 2, .max_batch = 3, .timeout = milliseconds(5)});
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 500; ++i) {
          auto asked = std::make_shared<Asked>(std::vector{kA, kB});
          const auto& keys = asked->keys;
          const std::span<Answer> answers = asked->answers;
          flights.read(keys, answers, {}, [&answered, asked](const std::string&) { ++answered; });
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(answered, 2000);
}

}  // namespace
}  // namespace stock::layers

#include <gtest/gtest.h>

#include <atomic>

#include "stock/rpc/stream_loop.h"
#include "support/eventually.h"
#include "support/manual_clock.h"

namespace stock::rpc {
namespace {

using support::eventually;

// Counts its steps; leaves when it is told to.
class Counting final : public Stepper {
 public:
  explicit Counting(StreamLoop& loop) : loop_(loop) {}
  void step(bool tick) override {
    ++(tick ? ticks : steps);
    if (leave.exchange(false)) loop_.remove(waker);
  }
  void drain() override { ++drains; }

  std::shared_ptr<StreamLoop::Waker> waker;
  std::atomic<int> steps{0};
  std::atomic<int> ticks{0};
  std::atomic<int> drains{0};
  std::atomic<bool> leave{false};

 private:
  StreamLoop& loop_;
};

class StreamLoopTest : public ::testing::Test {
 protected:
  void add(Counting& stream) {
    stream.waker = loop_.add(stream);
    ASSERT_TRUE(stream.waker);
    stream.waker->wake();
    ASSERT_TRUE(eventually([&] { return stream.steps.load(); }, ::testing::Ge(1)));
  }
  void leave(Counting& stream) {
    const std::size_t before = loop_.streams();
    stream.leave = true;
    stream.waker->wake();
    ASSERT_TRUE(eventually([&] { return loop_.streams(); }, ::testing::Lt(before)));
  }

  support::ManualClock clock_;
  StreamLoop loop_{2, clock_};
};

TEST_F(StreamLoopTest, a_stream_steps_when_it_is_woken) {
  Counting stream(loop_);
  add(stream);
  const int before = stream.steps;
  stream.waker->wake();
  EXPECT_TRUE(eventually([&] { return stream.steps.load(); }, ::testing::Gt(before)));
  leave(stream);
  const int after = stream.steps;
  stream.waker->wake();
  Counting other(loop_);
  add(other);
  EXPECT_EQ(stream.steps, after);
  leave(other);
}

TEST_F(StreamLoopTest, all_tick_once_a_second) {
  Counting stream(loop_);
  add(stream);
  // Twenty parts of a second; each is seen to have passed by the loop before the next one comes.
  ASSERT_TRUE(eventually(
      [&] {
        clock_.advance(std::chrono::milliseconds(50));
        stream.waker->wake();
        return stream.ticks.load();
      },
      ::testing::Ge(2)));
  leave(stream);
}

TEST_F(StreamLoopTest, there_are_no_more_than_it_may_have) {
  Counting first(loop_);
  Counting second(loop_);
  Counting third(loop_);
  add(first);
  add(second);
  EXPECT_EQ(loop_.add(third), nullptr);
  EXPECT_EQ(loop_.streams(), 2u);
  leave(first);
  add(third);
  leave(second);
  leave(third);
}

TEST_F(StreamLoopTest, draining_reaches_those_that_are_there_and_those_that_come) {
  Counting there(loop_);
  add(there);
  loop_.drain();
  EXPECT_TRUE(eventually([&] { return there.drains.load(); }, ::testing::Eq(1)));
  Counting late(loop_);
  add(late);
  EXPECT_EQ(late.drains, 1);
  leave(there);
  leave(late);
}

TEST(StreamLoop, a_waker_may_outlive_it) {
  support::ManualClock clock;
  std::shared_ptr<StreamLoop::Waker> waker;
  {
    StreamLoop loop(1, clock);
    Counting stream(loop);
    stream.waker = waker = loop.add(stream);
    stream.leave = true;
    waker->wake();
    ASSERT_TRUE(eventually([&] { return loop.streams(); }, ::testing::Eq(0u)));
  }
  waker->wake();
}

}  // namespace
}  // namespace stock::rpc

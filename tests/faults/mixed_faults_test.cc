// Several faults at a time, at random.
#include "faults/fault_test.h"
#include "faults/mischief.h"

namespace stock::faults {
namespace {

class MixedFaultsTest : public FaultTest {
 protected:
  static void SetUpTestSuite() { begin({.stockds = 3, .haunted = true}); }
};

TEST_F(MixedFaultsTest, whatever_happens) {
  world().run([](Swarm&) {
    Mischief mischief(world(), world().seed);
    for (int i = 0; i < 24; ++i) {
      mischief.step();
      world().await_calls(60);
    }
    mischief.heal();
    EXPECT_GT(mischief.begun().size(), 5u);
  });
}

class HonestFaultsTest : public FaultTest {
 protected:
  static void SetUpTestSuite() { begin({.stockds = 3}); }
};

TEST_F(HonestFaultsTest, nobody_is_accused) {
  world().run([](Swarm&) {
    Mischief mischief(world(), world().seed, true);
    for (int part = 0; part < 3; ++part) {
      for (int i = 0; i < 8; ++i) {
        mischief.step();
        world().await_calls(60);
      }
      mischief.heal();
      world().expect_nobody_accused();
    }
    EXPECT_GT(mischief.begun().size(), 5u);
  });
}

}  // namespace
}  // namespace stock::faults

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

}  // namespace
}  // namespace stock::faults

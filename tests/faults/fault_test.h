// What the tests of faults share: one world for each suite.
#pragma once

#include <fmt/format.h>

#include <iostream>
#include <memory>

#include "faults/fault_world.h"
#include "support/eventually.h"

namespace stock::faults {

using namespace std::chrono_literals;
using support::eventually;
using support::Swarm;
using ::testing::Eq;
using ::testing::Ge;
using ::testing::Gt;
using ::testing::HasSubstr;

// How many answers a fault lasts for.
constexpr std::uint64_t kLasting = 400;

class FaultTest : public ::testing::Test {
 protected:
  static void begin(const FaultWorld::Options& options) {
    world_ = std::make_unique<FaultWorld>(options);
  }
  static void SetUpTestSuite() { begin({}); }
  static void TearDownTestSuite() {
    std::cout << fmt::format("[  swarm   ] seed {}: {}\n", world_->seed, world_->figures.text());
    world_.reset();
  }

  static FaultWorld& world() { return *world_; }

 private:
  static inline std::unique_ptr<FaultWorld> world_;
};

}  // namespace stock::faults

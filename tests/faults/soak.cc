// Usage: faults_soak [--seconds N] [--seed S] [--stockds N] [--clients N] [--writes N] [--peace N]
//                    [--honest 1]
//
// Every fault there is, at random, for as long as is wanted. Every answer is checked, in rounds,
// each over keys of its own; each fifth one ends with a failover, after which the servers are new
// ones. Ends with 1 at the first round with a false claim. --peace is how many answers are awaited
// after each time of trouble. In an honest world nobody tampers with Redis, and no layer may be
// accused of a lie.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "faults/mischief.h"

namespace stock::faults {
namespace {

constexpr int kRoundsOfAWorld = 5;
constexpr int kStepsOfARound = 24;
// While something is broken calls take long; so much is broken no longer than this, and then much
// is asked of a world that is whole and full of what was left behind.
constexpr int kStepsOfTrouble = 4;
constexpr std::uint64_t kCallsOfAStep = 120;
constexpr int kPortions = 80;  // each of which is waited for as long as is generous

struct Arguments {
  std::chrono::seconds time{60};
  std::optional<std::uint64_t> seed;
  int stockds = 3;
  int clients = 32;
  std::uint64_t writes = 10;   // of a hundred calls
  std::uint64_t peace = 8000;  // answers
  bool honest = false;
};
Arguments arguments;

TEST(FaultsSoak, no_claim_is_false) {
  const auto end = std::chrono::steady_clock::now() + arguments.time;
  std::uint64_t seed = arguments.seed.value_or(fault_seed());
  FaultWorld::Figures all;
  std::uint64_t faults = 0;
  std::unique_ptr<FaultWorld> world;
  for (int round = 1; std::chrono::steady_clock::now() < end && !HasFailure(); ++round) {
    if (!world) {
      world = std::make_unique<FaultWorld>(FaultWorld::Options{.stockds = arguments.stockds,
                                                               .clients = arguments.clients,
                                                               .writes = arguments.writes,
                                                               .haunted = !arguments.honest,
                                                               .seed = ++seed});
    }
    const bool last = round % kRoundsOfAWorld == 0;
    world->run([&](support::Swarm&) {
      Mischief mischief(*world, seed * 100 + static_cast<std::uint64_t>(round), arguments.honest);
      for (int i = 0; i < kStepsOfARound; ++i) {
        mischief.step();
        world->await_calls(kCallsOfAStep);
        if (i % kStepsOfTrouble == kStepsOfTrouble - 1) {
          mischief.heal();
          for (int n = 0; n < kPortions && !HasFailure(); ++n) {
            world->await_answers(arguments.peace / kPortions);
          }
          if (arguments.honest) world->expect_nobody_accused();
        }
      }
      for (const auto& [name, n] : mischief.begun()) faults += static_cast<std::uint64_t>(n);
      if (last) {
        world->await_recovery();
        if (seed % 2 == 0) world->replication->stall();  // then what is written now will be lost
        world->await_calls(kCallsOfAStep);
        world->fail_over();
        ++faults;
      }
    });
    all += world->figures;
    world->figures = {};
    std::cout << fmt::format("round {} (seed {}): {}, {} faults\n", round, seed, all.text(), faults)
              << std::flush;
    if (last) world.reset();
  }
}

}  // namespace
}  // namespace stock::faults

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  auto& arguments = stock::faults::arguments;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const auto value = std::stoull(argv[i + 1]);
    if (name == "--seconds") {
      arguments.time = std::chrono::seconds(value);
    } else if (name == "--seed") {
      arguments.seed = value;
    } else if (name == "--stockds") {
      arguments.stockds = static_cast<int>(value);
    } else if (name == "--clients") {
      arguments.clients = static_cast<int>(value);
    } else if (name == "--writes") {
      arguments.writes = value;
    } else if (name == "--peace") {
      arguments.peace = value;
    } else if (name == "--honest") {
      arguments.honest = value != 0;
    } else {
      std::cerr << "Usage: faults_soak [--seconds N] [--seed S] [--stockds N] [--clients N]"
                   " [--writes N] [--peace N] [--honest 1]\n";
      return 2;
    }
  }
  return RUN_ALL_TESTS();
}

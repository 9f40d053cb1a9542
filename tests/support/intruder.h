// Somebody with psql: changes levels past the service, in every way that transactions allow. Of one
// thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "support/history.h"
#include "support/sql.h"
#include "support/swarm.h"

namespace stock::support {

class Intruder {
 public:
  // `pause`: until the clients have done something meanwhile; false when all is to end.
  Intruder(const Swarm::Options& options, std::function<bool()> pause);

  // One misdeed, or what comes of it where the primary is away.
  void act();

  std::vector<Sighting> sightings;
  std::uint64_t done = 0;

 private:
  void update();
  void remove();
  void several_in_one_transaction();
  void hold_a_transaction_open();
  void roll_back();
  void look(const domain::Key& key);
  void raise(const domain::Key& key);

  std::uint64_t pick(std::uint64_t below) { return chance_() % below; }
  const domain::Key& key() { return options_.keys[pick(options_.keys.size())]; }

  const Swarm::Options& options_;
  const std::function<bool()> pause_;
  std::mt19937_64 chance_;
  std::optional<Sql> sql_;
};

}  // namespace stock::support

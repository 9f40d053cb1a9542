// All faults at random: begins one and ends another, never two on the same part, by a seed. Of one
// thread, that of the test: processes that it starts live as long as that.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "faults/fault_world.h"
#include "faults/hoarder.h"

namespace stock::faults {

class Mischief {
 public:
  // In an honest world nobody puts anything into Redis that is not the service's.
  Mischief(FaultWorld& world, std::uint64_t seed, bool honest = false);

  // Begins a fault, or ends one that is under way.
  void step();
  // Ends all that are under way.
  void heal();

  // How often each fault was begun.
  [[nodiscard]] const std::map<std::string, int>& begun() const { return begun_; }

 private:
  struct Fault {
    std::string name;
    std::string part;  // of the world: one fault at a time
    std::function<void()> begin;
    std::function<void()> end;
  };
  void add_for_servers();
  void add_copies();
  void add_for_member(std::size_t number);
  void old_copies();
  void misnamed_copies();

  FaultWorld& world_;
  std::mt19937_64 chance_;
  std::vector<Fault> faults_;
  std::vector<const Fault*> under_way_;
  std::map<std::string, int> begun_;
  std::map<std::string, int> broken_;  // parts
  std::optional<Hoarder> hoarder_;
};

}  // namespace stock::faults

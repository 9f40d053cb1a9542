// What each layer gains against what it costs, from what a process has counted. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace stock::drift {

// What was counted of one layer since the process started.
struct LayerTally {
  std::string layer;
  bool in_use = true;     // else it is switched off
  bool database = false;  // else it is what spares one
  bool up = false;
  std::int64_t keys_asked = 0;  // keys of reads that reached it
  std::int64_t keys_hit = 0;    // those that it could answer
  std::int64_t answers = 0;     // levels that callers got from it
  std::optional<std::chrono::nanoseconds> read_time_p50;
  std::optional<std::chrono::nanoseconds> age_p50;  // of these answers
  std::optional<std::chrono::nanoseconds> age_p99;
  std::int64_t examined = 0;  // by the auditor, where it said something
  std::int64_t diverged = 0;
  std::int64_t divergent_keys = 0;  // now
  // Of those examined, those whose version was true at some instant of the window before.
  struct Consistency {
    std::chrono::seconds window{0};
    std::int64_t met = 0;
  };
  std::vector<Consistency> consistency = {};
  std::int64_t incidents_open = 0;    // now, of whichever process
  std::int64_t incidents_opened = 0;  // by this process
  double unit_seconds = 0;            // wrong units of all keys, times how long they were
};

// Implemented where the counting is done. Thread-safe, and quick.
class LayerTallies {
 public:
  virtual ~LayerTallies() = default;
  // In reading order.
  [[nodiscard]] virtual std::vector<LayerTally> tallies() const = 0;
};

// What follows from the tallies of one layer and of those behind it.
struct Price {
  std::optional<double> hit_ratio;
  double answer_share = 0;
  // Answers times how much longer the next layer that is in use takes, by medians.
  std::optional<std::chrono::nanoseconds> latency_saved;
  std::int64_t database_reads_saved = 0;
  std::optional<double> diverged_per_million;
  // -log10(1 - share that met the window), one for one with `consistency`. At least half a failure
  // is counted, so that nobody shines by being hardly examined.
  std::vector<std::optional<double>> nines;
  std::optional<double> incidents_per_million_answers;
};

// One for one.
std::vector<Price> prices(std::span<const LayerTally> tallies);

}  // namespace stock::drift

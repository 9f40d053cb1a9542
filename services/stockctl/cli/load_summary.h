#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "stockctl/cli/session.h"

namespace stockctl {

// How an import or a replay ended: what it counted, in order, and what stopped it.
struct LoadSummary {
  // "import", "replay".
  std::string what;
  std::string file;
  // "rows", "lines".
  std::string unit;
  std::int64_t total = 0;
  // Of the total, how many were dealt with.
  std::int64_t done = 0;
  std::chrono::nanoseconds time{};
  std::vector<std::pair<std::string, std::int64_t>> counts;
  // How many lines were bad or refused.
  std::int64_t faults = 0;
  absl::Status stopped;
};

// Shows it; the exit code that follows from it.
ExitCode show_summary(Session& session, const LoadSummary& summary);

}  // namespace stockctl

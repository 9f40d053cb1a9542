// The keys that were lately asked for on behalf of a cohort, and on how many of them the cohorts
// contradict each other, as far as it is known what flags say to them. Thread-safe: one mutex.
#pragma once

#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "stock/domain/flags.h"
#include "stock/domain/key.h"
#include "stock/layers/flag_reader.h"

namespace stock::layers {

class FlagForks {
 public:
  static constexpr std::size_t kMaxKeys = 1000;

  // `reader` outlives it.
  FlagForks(std::vector<domain::Flag> flags, std::vector<std::string> cohorts,
            const FlagReader& reader)
      : flags_(std::move(flags)), cohorts_(std::move(cohorts)), reader_(reader) {}

  // A cohort is told of this key, of which so many are available.
  void asked(const domain::Key& key, std::int64_t available);

  // Asked for last first.
  [[nodiscard]] std::vector<domain::Key> keys() const;
  // The number of keys that are forked by each flag. Asks nobody.
  [[nodiscard]] std::vector<std::int64_t> counts() const;

 private:
  using Asked = std::list<std::pair<domain::Key, std::int64_t>>;

  const std::vector<domain::Flag> flags_;
  const std::vector<std::string> cohorts_;
  const FlagReader& reader_;

  mutable std::mutex mutex_;
  Asked asked_;  // last first
  absl::flat_hash_map<domain::Key, Asked::iterator> index_;
};

}  // namespace stock::layers

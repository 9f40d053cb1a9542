#include "stock/drift/flag_words.h"

#include <fmt/format.h>

#include <algorithm>

#include "stock/drift/words.h"

namespace stock::drift {

std::string flag_words(const std::string& cohort, std::span<const domain::Flag> flags,
                       const domain::FlagsSaid& said, const domain::Flagged& view,
                       std::int64_t available) {
  const std::string there = grouped(std::max<std::int64_t>(available, 0));
  if (!view.forked()) return fmt::format("no flag changes what cohort {} sees: {}", cohort, there);
  std::string causes;
  for (std::size_t i = 0; i < flags.size(); ++i) {
    if (!view.outcomes[i].applies) continue;
    causes += fmt::format("{}flag {}, variant {} ({})", causes.empty() ? "" : "; ", flags[i].name,
                          said[i].variant, said[i].reason);
  }
  if (view.hidden) {
    return fmt::format("{}: hidden from cohort {}; {} are available", causes, cohort, there);
  }
  if (view.sale_ended) {
    return fmt::format("{}: no longer sold to cohort {}; {} are available", causes, cohort, there);
  }
  return fmt::format("{}: cohort {} sees {} of {}", causes, cohort, grouped(view.available), there);
}

}  // namespace stock::drift

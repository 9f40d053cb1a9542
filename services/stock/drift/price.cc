#include "stock/drift/price.h"

#include <algorithm>
#include <cmath>

namespace stock::drift {
namespace {

std::optional<double> ratio(std::int64_t part, std::int64_t whole) {
  if (whole == 0) return std::nullopt;
  return static_cast<double>(part) / static_cast<double>(whole);
}

std::optional<double> per_million(std::int64_t part, std::int64_t whole) {
  auto share = ratio(part, whole);
  if (share) *share *= 1e6;
  return share;
}

// The two are counted one after the other, so `met` may be ahead for a moment.
std::optional<double> nines(std::int64_t met, std::int64_t examined) {
  if (examined == 0) return std::nullopt;
  const double failures = std::max(static_cast<double>(examined - met), 0.5);
  return std::log10(static_cast<double>(examined) / failures);
}

std::optional<std::chrono::nanoseconds> latency_saved(const LayerTally& layer,
                                                      std::span<const LayerTally> behind) {
  const auto next =
      std::find_if(behind.begin(), behind.end(), [](const LayerTally& t) { return t.in_use; });
  if (next == behind.end() || !next->read_time_p50 || !layer.read_time_p50) return std::nullopt;
  // In floating point: years of answers do not fit into nanoseconds.
  const double seconds =
      static_cast<double>(layer.answers) *
      std::chrono::duration<double>(*next->read_time_p50 - *layer.read_time_p50).count();
  constexpr double kMost = 250.0 * 365 * 86'400;
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double>(std::clamp(seconds, -kMost, kMost)));
}

}  // namespace

std::vector<Price> prices(std::span<const LayerTally> tallies) {
  std::int64_t answers = 0;
  for (const LayerTally& tally : tallies) answers += tally.answers;
  std::vector<Price> prices;
  for (std::size_t i = 0; i < tallies.size(); ++i) {
    const LayerTally& tally = tallies[i];
    Price& price = prices.emplace_back();
    price.hit_ratio = ratio(tally.keys_hit, tally.keys_asked);
    price.answer_share = ratio(tally.answers, answers).value_or(0);
    price.latency_saved = latency_saved(tally, tallies.subspan(i + 1));
    price.database_reads_saved = tally.database ? 0 : tally.answers;
    price.diverged_per_million = per_million(tally.diverged, tally.examined);
    for (const auto& [window, met] : tally.consistency) {
      price.nines.push_back(nines(met, tally.examined));
    }
    price.incidents_per_million_answers = per_million(tally.incidents_opened, tally.answers);
  }
  return prices;
}

}  // namespace stock::drift

#include "stock/admission/adaptive_limit.h"

#include <algorithm>

namespace stock::admission {
namespace {

using domain::LocalTime;
using std::chrono::nanoseconds;

constexpr double kMostShrunk = 0.5;
constexpr std::size_t kGrowth = 8;  // by one part in so many

AdaptiveLimit::Options with_room(AdaptiveLimit::Options options) {
  options.ceiling = std::max<std::size_t>(options.ceiling, 1);
  options.floor = std::clamp<std::size_t>(options.floor, 1, options.ceiling);
  return options;
}

}  // namespace

AdaptiveLimit::AdaptiveLimit(const Options& options)
    : options_(with_room(options)), limit_(options_.ceiling) {}

// Where nothing is taken for an interval, what the first in the queue has waited so far tells.
bool AdaptiveLimit::admits(std::size_t waiting, LocalTime oldest, LocalTime now) {
  if (!began_) began_ = now;
  if (now - *began_ >= options_.interval) {
    const nanoseconds standing = waiting > 0 ? now - oldest : nanoseconds(0);
    adapt(shortest_.value_or(standing), waiting, now);
  }
  return waiting < limit_;
}

void AdaptiveLimit::took(std::size_t waiting, nanoseconds waited, LocalTime now) {
  if (!began_) began_ = now;
  shortest_ = std::min(shortest_.value_or(waited), waited);
  if (now - *began_ >= options_.interval) adapt(*shortest_, waiting, now);
}

// Ends the interval.
void AdaptiveLimit::adapt(nanoseconds wait, std::size_t waiting, LocalTime now) {
  began_ = now;
  shortest_.reset();
  if (wait > options_.target) {
    const double gradient =
        static_cast<double>(options_.target.count()) / static_cast<double>(wait.count());
    // A limit far above what waits would take long to be felt.
    limit_ = std::min(limit_, waiting);
    limit_ =
        static_cast<std::size_t>(static_cast<double>(limit_) * std::max(gradient, kMostShrunk));
  } else {
    limit_ += 2 * wait < options_.target ? limit_ : limit_ / kGrowth + 1;
  }
  limit_ = std::clamp(limit_, options_.floor, options_.ceiling);
}

}  // namespace stock::admission

#include "stock/ledger/lanes.h"

#include <algorithm>
#include <optional>
#include <thread>
#include <utility>
#include <variant>

#include "absl/hash/hash.h"

namespace stock::ledger {
namespace {

constexpr std::size_t kRemembered = 1 << 16;

// Of each key that the request names.
template <typename Visit>
void each_key(const Request& request, const Visit& visit) {
  for (const Change& change : request.changes) {
    std::visit([&](const auto& its) { visit(its.key); }, change);
  }
  for (const Line& line : request.lines()) visit(line.key);
}

}  // namespace

Lanes::Lanes(const Batcher::Options& options,
             const std::vector<std::reference_wrapper<Store>>& stores,
             const clock::LocalClock& clock, Observer& observer, Announcer* announcer)
    : made_in_(kRemembered) {
  Batcher::Options each = options;
  each.max_queue = std::max<std::size_t>(options.max_queue / stores.size(), 1);
  for (Store& store : stores) {
    lanes_.push_back(std::make_unique<Batcher>(each, store, clock, observer, announcer));
  }
}

void Lanes::submit(Request request, domain::LocalTime deadline, Batcher::Done done) {
  const std::size_t lane = lane_of(request);
  lanes_[lane]->submit(std::move(request), deadline, std::move(done));
}

std::size_t Lanes::lane_of(const Request& request) {
  if (lanes_.size() == 1) return 0;
  if (request.kind == domain::MovementKind::kImport)
    return absl::HashOf(request.id) % lanes_.size();
  std::optional<std::size_t> lane;
  each_key(request, [&](const domain::Key& key) {
    const std::size_t its = absl::HashOf(key) % lanes_.size();
    lane = !lane || *lane == its ? its : 0;
  });
  if (!request.action) return lane.value_or(0);
  auto& made_in = made_in_[absl::HashOf(request.action->reservation) % kRemembered];
  if (!std::holds_alternative<Reserve>(request.action->what)) {
    return made_in.load(std::memory_order_relaxed);
  }
  made_in.store(static_cast<std::uint8_t>(lane.value_or(0)), std::memory_order_relaxed);
  return lane.value_or(0);
}

// All at once: each may wait until the deadline.
void Lanes::stop(domain::LocalTime deadline) {
  std::vector<std::thread> stopping;
  for (const auto& lane : lanes_) {
    stopping.emplace_back([&lane, deadline] { lane->stop(deadline); });
  }
  for (std::thread& thread : stopping) thread.join();
}

std::size_t Lanes::queue_length() const {
  std::size_t length = 0;
  for (const auto& lane : lanes_) length += lane->queue_length();
  return length;
}

std::size_t Lanes::queue_limit() const {
  std::size_t limit = 0;
  for (const auto& lane : lanes_) limit += lane->queue_limit();
  return limit;
}

}  // namespace stock::ledger

#include "stock/drift/stretch.h"

#include <utility>

namespace stock::drift {

std::shared_ptr<Stretch> Stretch::send(layers::Walkable& layer, layers::WalkQuery query,
                                       const clock::LocalClock& clock,
                                       std::chrono::nanoseconds patience) {
  std::shared_ptr<Stretch> stretch(new Stretch(clock, patience));
  layer.walk(
      std::move(query), {.deadline = stretch->deadline_},
      [stretch](absl::StatusOr<layers::LevelPage> page) { stretch->received(std::move(page)); });
  return stretch;
}

Stretch::Stretch(const clock::LocalClock& clock, std::chrono::nanoseconds patience)
    : clock_(clock), sent_(clock.now()), deadline_(sent_ + patience) {}

void Stretch::received(absl::StatusOr<layers::LevelPage> page) {
  const domain::LocalTime now = clock_.now();
  const std::lock_guard lock(mutex_);
  page_ = std::move(page);
  received_ = now;
  changed_.notify_all();
}

std::optional<Stretch::Named> Stretch::wait(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, stop, deadline_ - clock_.now(), [this] { return page_.has_value(); });
  if (!page_ || !page_->ok()) return std::nullopt;
  layers::LevelPage page = *std::move(*page_);
  Named named{
      .keys = std::move(page.keys),
      .statement = {
          .answered = true, .answers = {}, .detail = {}, .sent = sent_, .received = received_}};
  named.statement.answers.reserve(named.keys.size());
  for (const domain::Reading& reading : page.readings) {
    named.statement.answers.push_back({domain::Outcome::kHit, reading, page.shows});
  }
  return named;
}

}  // namespace stock::drift

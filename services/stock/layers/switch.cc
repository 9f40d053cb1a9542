#include "stock/layers/switch.h"

#include <fmt/format.h>

namespace stock::layers {

Switch::Switch(std::string layer, std::function<void()> before_on)
    : before_on_(std::move(before_on)) {
  setting_.layer = std::move(layer);
}

Setting Switch::setting() const {
  const std::lock_guard lock(mutex_);
  return setting_;
}

std::string Switch::why_off() const {
  const std::lock_guard lock(mutex_);
  if (setting_.enabled) return {};
  const Setting::Change& change = setting_.switched;
  return fmt::format(
      "disabled by {} since {} UTC{}{}", change.actor.empty() ? "somebody" : change.actor,
      domain::format_time(change.at), change.reason.empty() ? "" : ": ", change.reason);
}

Setting Switch::set(Setting setting) {
  const bool on = setting.enabled;
  if (on && !this->on() && before_on_) before_on_();
  Setting before;
  {
    const std::lock_guard lock(mutex_);
    before = std::exchange(setting_, std::move(setting));
  }
  on_.store(on, std::memory_order_release);
  return before;
}

void Switched::read(std::span<const domain::Key> keys, std::span<Answer> answers,
                    const ReadContext& context, Done done) {
  if (power_.on()) return inner_.read(keys, answers, context, std::move(done));
  for (Answer& answer : answers) answer = {.outcome = domain::Outcome::kBypassed, .reading = {}};
  done(power_.why_off());
}

void Switched::offer(std::span<const domain::Key> keys, std::span<const domain::Reading> readings) {
  if (fill_ != nullptr && power_.on()) fill_->offer(keys, readings);
}

}  // namespace stock::layers

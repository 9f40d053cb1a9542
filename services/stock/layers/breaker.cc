#include "stock/layers/breaker.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace stock::layers {

using domain::Outcome;

void Breaker::read(std::span<const domain::Key> keys, std::span<Answer> answers,
                   const ReadContext& context, Done done) {
  const std::optional<Attempt> attempt = admit();
  if (!attempt) {
    for (Answer& answer : answers) answer.outcome = Outcome::kBreakerOpen;
    return done(why());
  }
  const domain::LocalTime asked = clock_.now();
  inner_.read(keys, answers, context,
              [this, answers, attempt = *attempt, asked, context,
               done = std::move(done)](std::string detail) mutable {
                const auto failed = [](const Answer& answer) {
                  return answer.outcome == Outcome::kError || answer.outcome == Outcome::kTimeout;
                };
                // Partly answered is answered: what failed is a matter of keys, not of the layer.
                Evidence evidence = Evidence::kWorks;
                if (answers.front().outcome == Outcome::kRefused) {
                  evidence = Evidence::kNone;  // refused reads are so as a whole
                } else if (std::ranges::all_of(answers, failed)) {
                  const bool hurried = clock_.now() - asked < options_.timeout &&
                                       answers.front().outcome == Outcome::kTimeout &&
                                       !(options_.overdue && options_.overdue());
                  const bool gone = context.cancelled != nullptr && *context.cancelled;
                  evidence = hurried || gone ? Evidence::kNone : Evidence::kFails;
                }
                learn(attempt, evidence, detail);
                done(std::move(detail));
              });
}

bool Breaker::closed() const {
  const std::lock_guard lock(mutex_);
  return !open_;
}

std::optional<Breaker::Attempt> Breaker::admit() {
  const std::lock_guard lock(mutex_);
  if (!open_) return Attempt{};
  if (trying_ || clock_.now() < retry_at_) return std::nullopt;
  trying_ = true;
  return Attempt{.trial = true};
}

void Breaker::learn(Attempt attempt, Evidence evidence, const std::string& detail) {
  const std::lock_guard lock(mutex_);
  if (attempt.trial) trying_ = false;
  switch (evidence) {
    case Evidence::kNone:
      return;
    case Evidence::kWorks:
      failures_ = 0;
      open_ = false;
      return;
    case Evidence::kFails:
      ++failures_;
      last_error_ = detail;
      if (attempt.trial || failures_ >= options_.failures) {
        open_ = true;
        retry_at_ = clock_.now() + options_.open_for;
      }
      return;
  }
}

std::string Breaker::why() const {
  const std::lock_guard lock(mutex_);
  return fmt::format("not asked, it failed {} times in a row: {}", failures_, last_error_);
}

}  // namespace stock::layers

// An answer that is given exactly once: by the database, or by the clock when that is faster.
// Thread-safe; shared between whoever may answer.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "stock/clock/timers.h"

namespace stock::postgres {

template <typename T>
class AnswerOnce {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<T>)>;

  // DEADLINE_EXCEEDED at `deadline`, unless somebody answers before. `timers` outlives the result.
  static std::shared_ptr<AnswerOnce> by(clock::Timers& timers, domain::LocalTime deadline,
                                        Done done) {
    std::shared_ptr<AnswerOnce> answer(new AnswerOnce(timers, std::move(done)));
    if (deadline != domain::LocalTime::max()) {
      answer->timer_ = timers.at(deadline, [answer] {
        answer->give(absl::DeadlineExceededError("the database did not answer in time"));
      });
    }
    return answer;
  }

  // The first one counts.
  void operator()(absl::StatusOr<T> value) {
    if (give(std::move(value))) timers_.cancel(timer_);
  }
  [[nodiscard]] bool given() const { return given_.load(std::memory_order_acquire); }

 private:
  AnswerOnce(clock::Timers& timers, Done done) : timers_(timers), done_(std::move(done)) {}

  bool give(absl::StatusOr<T> value) {
    if (given_.exchange(true, std::memory_order_acq_rel)) return false;
    std::exchange(done_, nullptr)(std::move(value));
    return true;
  }

  clock::Timers& timers_;
  clock::Timers::Id timer_ = 0;
  std::atomic<bool> given_{false};
  Done done_;
};

}  // namespace stock::postgres

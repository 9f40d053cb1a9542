#include "stockd/flag_metrics.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace stockd {
namespace {

// The reasons of OpenFeature, and ours: absent (the service does not know the flag, or it is
// disabled), misused (its value is of the wrong kind), last_known and unflagged (the service does
// not answer).
constexpr std::array<std::pair<std::string_view, const char*>, 8> kServiceReasons = {
    {{"STATIC", "static"},
     {"DEFAULT", "default"},
     {"TARGETING_MATCH", "targeting_match"},
     {"SPLIT", "split"},
     {"CACHED", "cached"},
     {"DISABLED", "disabled"},
     {"STALE", "stale"},
     {"ERROR", "error"}}};
constexpr std::array<const char*, 5> kOwnReasons = {"absent", "misused", "last_known", "unflagged",
                                                    "other"};
constexpr std::array<const char*, 3> kLookupNames = {"hit", "miss", "outdated"};
constexpr std::array<const char*, 4> kFailureNames = {"timeout", "unavailable", "other", "stream"};

}  // namespace

FlagMetrics::FlagMetrics(stock::telemetry::Metrics& metrics, std::vector<stock::domain::Flag> flags,
                         const stock::clock::LocalClock& clock)
    : metrics_(metrics),
      flags_(std::move(flags)),
      clock_(clock),
      log_failures_(clock, std::chrono::seconds(10)) {
  for (const stock::domain::Flag& flag : flags_) {
    Reasons& reasons = evaluations_.emplace_back();
    const auto add = [&](const char* reason) {
      reasons[reason] = &metrics.counter(
          "stock_flag_evaluations_total",
          "Evaluations of feature flags that callers were told, by the flag service's reason; or "
          "absent (it says nothing of the flag), misused (its value is of the wrong kind), "
          "last_known or unflagged (it does not answer).",
          {{"flag", flag.name}, {"reason", reason}});
    };
    for (const auto& [theirs, reason] : kServiceReasons) add(reason);
    for (const char* reason : kOwnReasons) add(reason);
  }
  if (flags_.empty()) return;
  for (std::size_t i = 0; i < lookups_.size(); ++i) {
    lookups_[i] = &metrics.counter("stock_flag_lookups_total",
                                   "Evaluations wanted, by whether one was kept: hit, miss, or "
                                   "outdated (flags have changed, or nobody tells if they do).",
                                   {{"outcome", kLookupNames[i]}});
  }
  for (std::size_t i = 0; i < failures_.size(); ++i) {
    failures_[i] = &metrics.counter("stock_flag_errors_total",
                                    "Evaluations that the flag service did not answer, and ends "
                                    "of its stream of events, by kind.",
                                    {{"kind", kFailureNames[i]}});
  }
}

void FlagMetrics::watch(const stock::layers::FlagReader& reader,
                        const stock::layers::FlagForks& forks) {
  metrics_.gauge_callback("stock_flag_up", "Whether the flag service answers: 1, or 0.", {},
                          [&reader] { return reader.up() ? 1.0 : 0.0; });
  metrics_.gauge_callback("stock_flag_age_seconds",
                          "Time since the flag service was last known to say what is told of it; "
                          "infinite while it never said anything.",
                          {}, [this, &reader] {
                            const auto answered = reader.last_answer();
                            if (answered == stock::domain::LocalTime{}) {
                              return std::numeric_limits<double>::infinity();
                            }
                            return std::chrono::duration<double>(clock_.now() - answered).count();
                          });
  for (std::size_t i = 0; i < flags_.size(); ++i) {
    metrics_.gauge_callback("stock_flag_forks",
                            "Keys, of those lately asked for with a cohort, on which a flag lets "
                            "the cohorts contradict each other.",
                            {{"flag", flags_[i].name}},
                            [&forks, i] { return static_cast<double>(forks.counts()[i]); });
  }
}

void FlagMetrics::looked_up(const std::array<std::int64_t, kLookups>& outcomes) {
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i] > 0) lookups_[i]->add(outcomes[i]);
  }
}

std::string_view FlagMetrics::reason_of(const stock::domain::Flag& flag,
                                        const stock::layers::FlagAnswer& answer,
                                        std::size_t number) {
  if (!answer.said) return "unflagged";
  if (answer.unreachable) return "last_known";
  const stock::domain::FlagSaid& said = (*answer.said)[number];
  if (said == stock::domain::FlagSaid{}) return "absent";
  if (stock::domain::flag_outcome(flag.effect, said, 0).misused) return "misused";
  const auto* known = std::ranges::find(kServiceReasons, said.reason,
                                        [](const auto& reason) { return reason.first; });
  return known == kServiceReasons.end() ? "other" : known->second;
}

void FlagMetrics::answered(std::span<const stock::layers::FlagAnswer> answers) {
  for (const stock::layers::FlagAnswer& answer : answers) {
    for (std::size_t i = 0; i < flags_.size(); ++i) {
      evaluations_[i].at(reason_of(flags_[i], answer, i))->add();
    }
  }
}

void FlagMetrics::failed(const absl::Status& why, bool down) {
  const Failure failure = absl::IsDeadlineExceeded(why) ? kTimeout
                          : absl::IsUnavailable(why)    ? kUnavailable
                                                        : kOther;
  failures_[failure]->add();
  if (!down && failure != kOther) return;  // said before
  if (const auto suppressed = log_failures_.admit()) {
    stock::telemetry::log_warn("the flag service does not answer",
                               {{"error", why.ToString()}, {"suppressed", *suppressed}});
  }
}

void FlagMetrics::stream_closed(const absl::Status& /*why*/) { failures_[kStream]->add(); }

void FlagMetrics::recovered() { stock::telemetry::log_info("the flag service answers again"); }

}  // namespace stockd

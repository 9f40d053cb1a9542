#include "stock/drift/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <string_view>

namespace stock::drift {
namespace {

using domain::Counts;
using domain::DatabaseTime;

// The time of day, with the date where it is another one than that of `asked`.
std::string moment(DatabaseTime time, DatabaseTime asked) {
  const std::string date = domain::format_time(time).substr(0, 10);
  const std::string clock = domain::format_time_of_day(time);
  return date == domain::format_time(asked).substr(0, 10) ? clock : date + " " + clock;
}

// "0.3 s", "4 s", "3 min", "2 h", "5 d".
std::string duration(std::chrono::microseconds length) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(length).count();
  if (seconds < 1) return fmt::format("{:.1f} s", static_cast<double>(length.count()) / 1e6);
  if (seconds < 120) return fmt::format("{} s", seconds);
  if (seconds < 2 * 3600) return fmt::format("{} min", seconds / 60);
  if (seconds < 48 * 3600) return fmt::format("{} h", seconds / 3600);
  return fmt::format("{} d", seconds / 86'400);
}

std::string many(std::int64_t versions) {
  return versions == 1 ? "1 version" : grouped(versions) + " versions";
}

// A liar's counts may be anything, also such that their sum is no number.
std::optional<std::int64_t> available(const Counts& counts) {
  std::int64_t sum = counts.on_hand;
  for (const std::int64_t less : {counts.reserved, counts.committed, counts.safety_stock}) {
    if (__builtin_sub_overflow(sum, less, &sum)) return std::nullopt;
  }
  return sum;
}

std::string count_of(bool exists, const Counts& counts) {
  if (!exists) return "no level";
  const auto sum = available(counts);
  return sum ? grouped(*sum) : fmt::format("{} on hand", grouped(counts.on_hand));
}

// What was claimed, of what its witness knows.
std::string count_of(const Claim& claim) {
  const domain::Reading& reading = claim.answer.reading;
  if (claim.extent != Extent::kInStock) return count_of(reading.exists, reading.counts);
  return reading.counts.on_hand > 0 ? "in stock" : "nothing in stock";
}

std::string count_of(Extent extent, const VersionFact& fact) {
  if (extent == Extent::kCounts) return count_of(fact.exists, fact.counts);
  const std::int64_t sum = fact.exists ? fact.counts.available() : 0;
  if (extent == Extent::kAvailable) return grouped(sum);
  return sum > 0 ? fmt::format("{} in stock", grouped(sum)) : "nothing in stock";
}

struct Pair {
  std::string said;
  std::string true_one;
};

// By what is available; where that does not differ, by the first count that does.
Pair difference(const Claim& claim, const VersionFact& fact) {
  const domain::Reading& said = claim.answer.reading;
  Pair pair{count_of(claim), count_of(claim.extent, fact)};
  if (pair.said != pair.true_one || claim.extent != Extent::kCounts) return pair;
  const std::array<std::pair<const char*, std::int64_t Counts::*>, 5> fields = {
      {{"on hand", &Counts::on_hand},
       {"reserved", &Counts::reserved},
       {"committed", &Counts::committed},
       {"safety stock", &Counts::safety_stock},
       {"backorder limit", &Counts::backorder_limit}}};
  for (const auto& [name, field] : fields) {
    if (said.counts.*field == fact.counts.*field) continue;
    return {fmt::format("{} {}", name, grouped(said.counts.*field)),
            fmt::format("{} {}", name, grouped(fact.counts.*field))};
  }
  return pair;
}

// "adjust, sale, order 536365, by shop".
std::string describe(const domain::Movement& movement) {
  std::string text(domain::kind_name(movement.kind));
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  if (movement.kind == domain::MovementKind::kDirect) text = "changed by SQL";
  if (movement.deleted) text += ", removed";
  for (const std::string* part : {&movement.reason, &movement.reference}) {
    if (!part->empty()) text += ", " + *part;
  }
  if (!movement.actor.empty()) text += ", by " + movement.actor;
  return text;
}

std::string superseded(const Judgement& judgement, const domain::Movement* successor) {
  if (successor != nullptr) {
    return fmt::format("; superseded by version {}: {}", grouped(successor->version),
                       describe(*successor));
  }
  if (judgement.superseded_by > 0) {
    return fmt::format("; superseded by version {}", grouped(judgement.superseded_by));
  }
  return "";
}

// "42 was true from 02:03:11.000 to 02:03:15.000, 3 versions ago".
std::string interval(const Finding& finding) {
  const Judgement& judgement = finding.judgement;
  const DatabaseTime asked = finding.claim.asked_latest;
  std::string text = count_of(finding.claim) + " was true";
  if (judgement.true_from) text += " from " + moment(*judgement.true_from, asked);
  if (judgement.true_until) text += " to " + moment(*judgement.true_until, asked);
  return fmt::format("{}, {} ago", text, many(judgement.versions));
}

std::string current(const Finding& finding) {
  const Judgement& judgement = finding.judgement;
  const DatabaseTime asked = finding.claim.asked_latest;
  const std::string count = count_of(finding.claim);
  if (judgement.true_until) {
    return fmt::format("{} was true when it was asked, and was replaced at {}", count,
                       moment(*judgement.true_until, asked));
  }
  if (!judgement.true_from) return count + ", and so it always was";
  return fmt::format("{} is true, since {}", count, moment(*judgement.true_from, asked));
}

// Which is not known of what was written down before that was.
std::string false_date(const Finding& finding) {
  const domain::Reading& reading = finding.claim.answer.reading;
  const DatabaseTime asked = finding.claim.asked_latest;
  if (!finding.judgement.false_date) return "its dates are false";
  switch (*finding.judgement.false_date) {
    case FalseDate::kTrueThrough:
      return reading.true_through > asked
                 ? fmt::format("its date, {}, has not come yet",
                               moment(reading.true_through, asked))
                 : fmt::format("it claims to have held at {}", moment(reading.true_through, asked));
    case FalseDate::kUnknownHeartbeat:
      return fmt::format("its heartbeat, {}, is none that there was", grouped(reading.heartbeat));
    case FalseDate::kHeartbeat:
      return fmt::format("it claims to have seen heartbeat {}, which shows its successor",
                         grouped(reading.heartbeat));
    case FalseDate::kAsOf:
      return fmt::format("it was not committed at {}", moment(reading.as_of, asked));
    case FalseDate::kExpiry:
      return reading.earliest_expiry == DatabaseTime{}
                 ? "it does not say when the first of its holds ends"
                 : fmt::format("the first of its holds does not end at {}",
                               moment(reading.earliest_expiry, asked));
  }
  return "";
}

std::string misdated(const Finding& finding, const domain::Movement* successor) {
  const std::string date = false_date(finding);
  if (finding.judgement.versions == 0) {
    return fmt::format("{} is true, but {}", count_of(finding.claim), date);
  }
  return fmt::format("{}, but {}{}", interval(finding), date,
                     superseded(finding.judgement, successor));
}

std::string never_true(const Finding& finding) {
  const domain::Reading& reading = finding.claim.answer.reading;
  if (reading.version > 0) {
    return fmt::format("version {} was replaced by the transaction that made it: nobody saw {}",
                       grouped(reading.version), count_of(finding.claim));
  }
  const Pair pair = difference(finding.claim, finding.truth);
  return fmt::format("no version ever had {}; true is {}", pair.said, pair.true_one);
}

// Of the claimed version's counts the finding knows those of the newest one only.
std::string wrong_count(const Finding& finding) {
  const domain::Reading& reading = finding.claim.answer.reading;
  const bool newest = reading.version == finding.newest;
  const Pair pair = difference(finding.claim, finding.truth);
  if (newest) {
    return fmt::format("version {} has {}, not {}", grouped(reading.version), pair.true_one,
                       pair.said);
  }
  return fmt::format("version {} never had {}; true is {}, {} later", grouped(reading.version),
                     pair.said, pair.true_one, many(finding.judgement.versions));
}

std::string ahead(const Finding& finding) {
  return fmt::format(
      "there is no version {}: the newest is {}, with {}. A write that was lost or rolled back, or "
      "another ledger's",
      grouped(finding.claim.answer.reading.version), grouped(finding.newest),
      count_of(finding.truth.exists, finding.truth.counts));
}

std::string sold(const Finding& finding) {
  const std::int64_t units = finding.judgement.units;
  const std::string claimed = grouped(finding.claim.answer.reading.counts.on_hand);
  if (units == 0) return claimed + " sold, as the ledger has it";
  return fmt::format("{} sold, {} {} than the ledger has", claimed, grouped(std::abs(units)),
                     units > 0 ? "more" : "fewer");
}

std::string with(std::string text, std::string_view detail) {
  return detail.empty() ? text : fmt::format("{}: {}", text, detail);
}

}  // namespace

std::string grouped(std::int64_t count) {
  std::string digits = std::to_string(count);
  for (std::size_t i = digits.size(); i > 3 && digits[i - 4] != '-'; i -= 3) {
    digits.insert(i - 3, ",");
  }
  return digits;
}

std::string words(const Finding& finding, const domain::Movement* successor) {
  switch (finding.judgement.verdict) {
    case Verdict::kCurrent:
      return finding.claim.extent == Extent::kSold ? sold(finding) : current(finding);
    case Verdict::kStale:
      return interval(finding) + superseded(finding.judgement, successor);
    case Verdict::kMisdated:
      return misdated(finding, successor);
    case Verdict::kNeverTrue:
      return never_true(finding);
    case Verdict::kWrongCount:
      return wrong_count(finding);
    case Verdict::kAhead:
      return ahead(finding);
    case Verdict::kAbsent:
      return finding.claim.answer.outcome == domain::Outcome::kCorrupt
                 ? with("what it holds cannot be read", finding.claim.detail)
                 : "it has no copy";
    case Verdict::kUnreachable:
      return with("it could not be asked", finding.claim.detail);
    case Verdict::kInconclusive:
      return finding.judgement.may_be_ahead
                 ? "it may be ahead: a transaction is still open that could bring what it says"
                 : "it moved while it was asked, or is of another history of the ledger";
    case Verdict::kUnverifiable:
      return "what it says is of history that was pruned: nobody can say";
    case Verdict::kForked:
      return "cohorts see what others do not";
    case Verdict::kOvercounted:
    case Verdict::kUndercounted:
      return sold(finding);
  }
  return "";
}

std::string words(const Finding& finding, const Testimony& testimony, const Dates& dates,
                  const domain::Movement* successor, std::optional<DatabaseTime> now) {
  std::string text = words(finding, successor);
  const DatabaseTime asked = now.value_or(dates.arrived.latest);
  if (testimony.extent == Extent::kSold) {
    text += fmt::format("; from {} to {}", moment(testimony.window.from, asked),
                        moment(testimony.window.until, asked));
  }
  if (!testimony.cohort.empty()) text += "; to cohort " + testimony.cohort;
  if (now) {
    const auto ago = std::max(*now - dates.sent.latest, std::chrono::microseconds(0));
    text += fmt::format("; told {} ago", duration(ago));
    if (!testimony.instance.empty()) text += " by " + testimony.instance;
  } else if (dates.late()) {
    text += fmt::format("; came late: told at {}", moment(dates.sent.latest, asked));
  }
  const auto skew = dates.skew ? dates.skew->ahead : std::chrono::microseconds(0);
  if (std::chrono::abs(skew) > dates.skew.value_or(Skew{}).uncertainty) {
    text += fmt::format("; its clock is {} {}", duration(std::chrono::abs(skew)),
                        skew.count() > 0 ? "ahead" : "behind");
  }
  return text;
}

std::string words_at(const Finding& finding, DatabaseTime at) {
  const Judgement& judgement = finding.judgement;
  const DatabaseTime asked = finding.claim.asked_latest;
  if (!judgement.true_from || judgement.verdict == Verdict::kNeverTrue) return "";
  if (at < *judgement.true_from) {
    return "it became true only at " + moment(*judgement.true_from, asked);
  }
  if (judgement.true_until && at >= *judgement.true_until) {
    return "by then it had been replaced, at " + moment(*judgement.true_until, asked);
  }
  return judgement.true_until || judgement.superseded_by == 0 ? "it was true then" : "";
}

}  // namespace stock::drift

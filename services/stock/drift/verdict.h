// What the ledger says of a statement that a layer made. Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "stock/domain/time.h"
#include "stock/drift/history.h"
#include "stock/layers/layer.h"

namespace stock::drift {

enum class Verdict : std::uint8_t {
  kCurrent,       // so it is, or still was when the layer was asked
  kStale,         // so it was, until before the layer was asked; and its date claims no more
  kMisdated,      // so it is, or was, but a date of it is false: see FalseDate
  kNeverTrue,     // no version ever had these counts
  kWrongCount,    // this version had other counts
  kAhead,         // there is no such version
  kAbsent,        // the layer said nothing; that is no lie
  kUnreachable,   // it did not answer, or failed
  kInconclusive,  // it moved while we looked, or it is of another ledger
  kUnverifiable,  // it is of a version that was pruned
  // Only of witnesses outside the service:
  kForked,        // flags make a cohort see another availability than there is
  kOvercounted,   // more units sold than the ledger has of that window
  kUndercounted,  // fewer
};
inline constexpr std::size_t kVerdicts = 13;
// Those that a layer of the service can earn come first.
inline constexpr std::size_t kLayerVerdicts = 10;
std::string_view verdict_name(Verdict verdict);  // "current"...

// Stale, misdated, never true, wrong count, ahead, over- or undercounted: the witness and the
// ledger contradict each other. (Forked are two cohorts of one witness.)
[[nodiscard]] bool diverges(Verdict verdict);
// It diverges, and no honest date excuses it: not stale.
[[nodiscard]] bool is_lie(Verdict verdict);

// What of a level a claim is about. A layer always says all; a witness outside may know less, and
// says that in `on_hand`, with the other counts 0.
enum class Extent : std::uint8_t {
  kCounts,
  kAvailable,  // what is available
  kInStock,    // whether anything is: 1, or 0
  kSold,       // units sold in some window: not of any version, see judge_sold()
};

// Which date of a claim is false.
enum class FalseDate : std::uint8_t {
  kTrueThrough,       // through which it says that it held: not come, or by then it was replaced
  kUnknownHeartbeat,  // that it says its read has seen: there is no such
  kHeartbeat,         // the same: that one shows its successor
  kAsOf,              // of the commit that made its version
  kExpiry,            // by which it says that the first of its holds ends
};
inline constexpr std::size_t kFalseDates = 5;
std::string_view false_date_name(FalseDate date);  // "true_through"...

// What a layer said, and when it was asked: the database's clock cannot have read less than
// `asked_earliest` when the question was sent, nor more than `asked_latest` when the answer came.
struct Claim {
  layers::Answer answer;
  domain::DatabaseTime asked_earliest;
  domain::DatabaseTime asked_latest;
  std::string detail = {};  // what the layer said went wrong with the whole question
  Extent extent = Extent::kCounts;
  // It also says when its version was committed and when the first of its holds ends, as layers do.
  bool tells_dates = true;
};

struct Judgement {
  Verdict verdict = Verdict::kAbsent;
  // Inconclusive as long as a transaction is open that could bring what is claimed.
  bool may_be_ahead = false;
  // Of a divergence, else 0.
  std::int64_t units = 0;            // claimed available − true available
  std::int64_t versions = 0;         // newest version − claimed version: negative when ahead
  std::chrono::microseconds age{0};  // at least how long it had been superseded when asked
  // The rest is of the claimed version, as far as there was one with these counts, and as it is
  // known: when it was committed, and when which version replaced it. 0 and nothing: none has.
  std::optional<domain::DatabaseTime> true_from;
  std::optional<domain::DatabaseTime> true_until;
  domain::Version superseded_by = 0;
  std::optional<FalseDate> false_date;  // of a misdated one: the first that is
};

// Whether it was found false of a heartbeat that the ledger did not know then.
[[nodiscard]] bool claims_unknown_heartbeat(const Claim& claim, const KeyHistory& history);

// Judges a claim by a history that was read after it was made. The history answers for the claimed
// version, if the claim has one.
//
// - A value that cannot be read (kCorrupt) is no statement: kAbsent, like a miss.
// - A level in a version below 1 claims no version, and neither does an absence in one below 0: it
//   is judged by what it says alone, by the newest of the versions at hand that was so and had been
//   committed when it was asked.
// - Versions that are not kept any more are not guessed at: kUnverifiable. So are counts without a
//   version that none has of those that are kept.
// - Nor are versions of another incarnation, which were others: kInconclusive. Nobody is served
//   such a copy.
// - A version that its own transaction replaced was never visible: kNeverTrue.
// - A copy is dated twice, and either may be false: by the instant through which it says that it
//   was true, and by the heartbeat that it says its read has seen, by which readers tell whether it
//   may have missed a move. A date that has not come yet is false whatever the version, and so is a
//   heartbeat that the ledger does not know (a standby shows one before the primary does: who
//   accuses looks twice).
// - Two more dates it has from its version, and tells readers: when that was committed, and when
// the
//   first of its holds ends. The former is false only when it lies clearly outside of the time from
//   when the movement was written until everybody saw it: who does not know (any more) when a
//   transaction was committed says when it wrote. The latter is the ledger's, where that knows.
// - Between being committed and being seen by everybody a version is neither true nor false. Where
//   it is not recorded by when that was, a single kStale may be due to that. Who accuses looks
//   twice.
[[nodiscard]] Judgement compare(const Claim& claim, const KeyHistory& history);
using Compare = Judgement (*)(const Claim& claim, const KeyHistory& history);

// Units that were sold in a window: those that everybody had seen by when it was claimed, and those
// that have been committed by now.
struct Sold {
  std::int64_t at_least = 0;
  std::int64_t at_most = 0;
};
// kCurrent between the two; the units are beyond the nearer one.
[[nodiscard]] Judgement judge_sold(std::int64_t claimed, const Sold& sold);

// A claim, and what the ledger says of it.
struct Finding {
  Claim claim;
  Judgement judgement;
  // Of the ledger, when that was said: its newest version, and the counts of that.
  domain::Version newest = 0;
  VersionFact truth;
};

// Whether the claimed version was true at some instant of the last `window` before the layer was
// asked; 0: when it was asked. Only of verdicts that found_something().
[[nodiscard]] bool within(const Judgement& judgement, std::chrono::microseconds window);
// The layer said something, and it could be judged.
[[nodiscard]] bool found_something(Verdict verdict);

}  // namespace stock::drift

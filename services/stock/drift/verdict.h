// What the ledger says of a statement that a layer made. Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "stock/domain/time.h"
#include "stock/drift/history.h"
#include "stock/layers/layer.h"

namespace stock::drift {

enum class Verdict : std::uint8_t {
  kCurrent,       // so it is, or still was when the layer was asked
  kStale,         // so it was, until before the layer was asked
  kNeverTrue,     // no version ever had these counts
  kWrongCount,    // this version had other counts
  kAhead,         // there is no such version
  kAbsent,        // the layer said nothing; that is no lie
  kUnreachable,   // it did not answer, or failed
  kInconclusive,  // it moved while we looked, or it is of a version or ledger that is not kept
};
inline constexpr std::size_t kVerdicts = 8;
std::string_view verdict_name(Verdict verdict);  // "current"...

// Stale, never true, wrong count or ahead: the layer and the ledger contradict each other.
[[nodiscard]] bool diverges(Verdict verdict);

// What a layer said, and when it was asked: the database's clock cannot have read less than
// `asked_earliest` when the question was sent, nor more than `asked_latest` when the answer came.
struct Claim {
  layers::Answer answer;
  domain::DatabaseTime asked_earliest;
  domain::DatabaseTime asked_latest;
};

struct Judgement {
  Verdict verdict = Verdict::kAbsent;
  // The rest is 0 unless the verdict is a divergence.
  std::int64_t units = 0;            // claimed available − true available
  std::int64_t versions = 0;         // newest version − claimed version: negative when ahead
  std::chrono::microseconds age{0};  // kStale: at least how long it had been superseded when asked
};

// Judges a claim by a history that was read after it was made. The history answers for the claimed
// version, if the claim has one.
//
// - A value that cannot be read (kCorrupt) is no statement: kAbsent, like a miss.
// - A level in a version below 1 claims no version: it is judged by its counts alone.
// - Versions that are not kept any more are not guessed at: kInconclusive.
// - Nor are those of another incarnation, whose versions were others. Nobody is served such a copy.
// - Between being committed and being seen by everybody a version is neither true nor false.
//   compare() knows the commit only, so a single kStale may be due to that. Who accuses looks
//   twice.
[[nodiscard]] Judgement compare(const Claim& claim, const KeyHistory& history);

}  // namespace stock::drift

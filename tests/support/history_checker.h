// Compares what clients were told with what the ledger says. Pure.
//
// Nothing is held against an answer that can be true: a version became true somewhere between its
// commit and the first proof that it was visible (the ledger's seen_by, an acknowledgement, an
// answer of the primary), the database's clock is known only between two bounds, and an answer was
// made somewhere between its request and its arrival. What is left is a lie.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "support/history.h"

namespace stock::support {

enum class OffenceKind : std::uint8_t {
  kNoSuchVersion,      // the ledger has no such version
  kWrongCounts,        // it has, with other counts, or as a deletion
  kNeverVisible,       // replaced in the transaction that made it
  kWrongAsOf,          // committed at another time
  kNotYetTrue,         // true_through before the version's commit, or in the future
  kStaleClaim,         // true_through after the version was replaced, and seen so
  kAgeTooSmall,        // older than age + uncertainty
  kBoundExceeded,      // older than asked for, without saying so
  kTokenMissed,        // does not show the token's write, or what that saw
  kWentBack,           // likewise, and its client had seen more before
  kNotConsistent,      // fully consistent, without what was acknowledged before
  kWrongPast,          // another version than that of the instant, or the one, asked for
  kWrongTransition,    // likewise, which was just becoming true, without saying so
  kFalselyDenied,      // a version was said not to be there yet, and had been visible
  kWrongTotal,         // no levels of then sum up to it
  kWrongAvailability,  // no levels of then give a cart that
  kFalselyLost,        // a token's write was called lost, and is there
  kLostWrite,          // acknowledged, and not in the ledger
  kAppliedTwice,       // one request, more movements than it asked for
  kRefusedApplied,     // refused, and in the ledger
  kWrongAnswer,        // a write's answer, or its effect, is not what the ledger says
  kOutOfOrder,         // a stream told a version behind a newer one, or twice
  kConflatedSilently,  // a watch left out versions, and did not say so, or how many
  kLostChange,         // a watch did not tell what its watermark covers
  kMovementTwice,      // a stream of movements told one again
  kLostMovement,       // likewise, left one out
  kBrokenLedger,       // the ledger contradicts itself
};
std::string_view name(OffenceKind kind);

struct Offence {
  OffenceKind kind;
  std::string text;  // which operation, which key, what it claimed, what is true
};

struct Verdict {
  std::vector<Offence> offences;  // the first hundred
  std::uint64_t offences_total = 0;
  std::uint64_t answers = 0;  // calls that were answered
  std::uint64_t levels = 0;   // levels in these answers
  std::uint64_t claims = 0;   // single claims that were compared

  // One sentence a line.
  [[nodiscard]] std::string text() const;
};

// `eras`: one, or after failovers that may lose acknowledged writes one for each primary, in order.
Verdict check_history(const History& history, const std::vector<Era>& eras);

}  // namespace stock::support

// What the auditor's self-test plants: a history that every one of its keys has had, and what may
// be said of one, honestly or not. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "stock/domain/reading.h"
#include "stock/domain/time.h"
#include "stock/drift/history.h"
#include "stock/drift/verdict.h"

namespace stock::drift::made_up {

// Four versions, of 10, 20, 30 and 40 units, of an incarnation. The first was committed thirty
// seconds before `now`, the second twenty, and the others by one transaction, ten seconds before:
// nobody has ever seen the third. `shows` is null.
[[nodiscard]] KeyHistory history(domain::DatabaseTime now, domain::Incarnation incarnation);

// What an honest layer says of it, that is still told that it is true.
[[nodiscard]] domain::Reading truth(domain::DatabaseTime now, domain::Incarnation incarnation);

// Something that can be said of it, and what has to be found of that.
struct Statement {
  const char* name;  // "stale"...
  domain::Reading says;
  Verdict verdict = Verdict::kCurrent;
  std::int64_t units = 0;
  std::int64_t versions = 0;
};

// One that is honest, and one of each lie that there is.
inline constexpr std::size_t kStatements = 10;
[[nodiscard]] std::array<Statement, kStatements> statements(domain::DatabaseTime now,
                                                            domain::Incarnation incarnation);

// Whether that is what was to be found. `redated`: by a layer that vouches for its copies itself,
// through now, so that one which is superseded is misdated there, or stale when the layer knows
// that it does not know any more.
[[nodiscard]] bool names(const Judgement& judgement, const Statement& statement, bool redated);

}  // namespace stock::drift::made_up

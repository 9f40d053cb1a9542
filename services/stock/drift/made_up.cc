#include "stock/drift/made_up.h"

#include <algorithm>
#include <chrono>

namespace stock::drift::made_up {
namespace {

using domain::DatabaseTime;
using domain::Incarnation;
using domain::Reading;
using domain::Version;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Version kNewest = 4;
constexpr std::int64_t kUnits = 10;
constexpr auto kSeenAfter = milliseconds(100);
// Heartbeat kBeats + n is the first that showed transaction n, and one came since. There are no
// such heartbeats: later than all, so that no feed takes a copy for one that it may have missed a
// move of.
constexpr domain::HeartbeatNumber kBeats = std::int64_t{1} << 40;
constexpr domain::HeartbeatNumber kNewestBeat = kBeats + 4;

// By a transaction of that number. The last one wrote two.
std::int64_t transaction(Version version) { return std::min<Version>(version, 3); }

DatabaseTime committed(Version version, DatabaseTime now) {
  return now - seconds(10 * (4 - transaction(version)));
}

// After the newest version was seen.
DatabaseTime just(DatabaseTime now) { return now - seconds(1); }

VersionFact fact(Version version, DatabaseTime now) {
  const DatabaseTime at = committed(version, now);
  return {.exists = true,
          .counts = {.on_hand = version * kUnits},
          .committed_at = at,
          .seen_by = at + kSeenAfter,
          .shown_by = kBeats + transaction(version),
          .xid = static_cast<domain::Xid>(100 + transaction(version)),
          .written_at = at};
}

}  // namespace

KeyHistory history(DatabaseTime now, Incarnation incarnation) {
  KeyHistory history{.newest = kNewest,
                     .current = fact(kNewest, now),
                     .incarnation = incarnation,
                     .heartbeat = kNewestBeat};
  for (Version version = 1; version <= kNewest; ++version) {
    history.versions[version] = fact(version, now);
  }
  return history;
}

Reading truth(DatabaseTime now, Incarnation incarnation) {
  return {.exists = true,
          .version = kNewest,
          .counts = {.on_hand = kNewest * kUnits},
          .as_of = committed(kNewest, now),
          .true_through = just(now),
          .incarnation = incarnation,
          .heartbeat = kNewestBeat};
}

std::array<Statement, kStatements> statements(DatabaseTime now, Incarnation incarnation) {
  const Reading honest = truth(now, incarnation);
  // As an honest layer said it when it was new.
  const auto of = [&](Version version) {
    Reading said = honest;
    said.version = version;
    said.counts.on_hand = version * kUnits;
    said.as_of = committed(version, now);
    said.true_through = said.as_of + seconds(1);
    said.heartbeat = kBeats + transaction(version);
    return said;
  };
  Reading date = of(2);
  date.true_through = just(now);
  Reading heartbeat = of(1);
  heartbeat.heartbeat = kBeats + 2;
  Reading future = honest;
  future.true_through = now + seconds(60);
  Reading commit = honest;
  commit.as_of = committed(1, now);
  Reading counts = honest;
  ++counts.counts.on_hand;
  Reading never = honest;
  never.version = 0;
  never.counts.on_hand = 99;
  Reading ahead = honest;
  ahead.version = kNewest + 2;
  return {{
      {"honest", honest, Verdict::kCurrent},
      {"stale", of(2), Verdict::kStale, -20, 2},
      {"date", date, Verdict::kMisdated, -20, 2},
      {"heartbeat", heartbeat, Verdict::kMisdated, -30, 3},
      {"future", future, Verdict::kMisdated},
      {"commit", commit, Verdict::kMisdated},
      {"counts", counts, Verdict::kWrongCount, 1},
      {"never", never, Verdict::kNeverTrue, 59},
      {"unseen", of(3), Verdict::kNeverTrue, -10, 1},
      {"ahead", ahead, Verdict::kAhead, 0, -2},
  }};
}

bool names(const Judgement& judgement, const Statement& statement, bool redated) {
  const bool is_superseded = statement.verdict == Verdict::kStale;
  const bool verdict = judgement.verdict == statement.verdict ||
                       (redated && is_superseded && judgement.verdict == Verdict::kMisdated);
  return verdict && judgement.units == statement.units && judgement.versions == statement.versions;
}

}  // namespace stock::drift::made_up

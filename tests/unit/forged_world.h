// A world that a test forges by hand, in which everything is true until the test says otherwise;
// for the tests of the history checker.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "support/history_checker.h"

namespace stock::support {

using domain::Counts;
using domain::DatabaseTime;
using domain::Key;
using domain::LocalTime;
using domain::Version;
using std::chrono::microseconds;

// The database's clock reads this when the local one reads 0.
inline constexpr microseconds kEpoch(1'700'000'000'000'000);
// Between the commit of a movement, its visibility, the leader's proof, and the answer to the
// writer.
inline constexpr microseconds kFlush(20);
inline constexpr microseconds kProof(300);
inline constexpr microseconds kAnswer(100);
inline constexpr microseconds kRoundTrip(200);

inline LocalTime local(microseconds at) { return LocalTime(at); }
inline DatabaseTime database(microseconds at) { return DatabaseTime(kEpoch + at); }

inline std::string request_id(std::size_t n) { return "request-" + std::to_string(n); }

// A world in which everything is true. `now` is in microseconds of either clock.
class World {
 public:
  World() { sample(); }

  // A write of client `client`, which takes effect in the middle of it.
  WriteOp& write(const Key& key, std::int64_t delta, int client = 0) {
    WriteOp op{.client = client,
               .from = "forge",
               .sent = local(now_),
               .request = request_id(++requests_),
               .fate = Fate::kAcknowledged};
    now_ += microseconds(50);
    const LedgerMovement& made = move(key, delta, op.request);
    now_ += kFlush + kAnswer;
    op.received = local(now_);
    op.deltas = {{key, delta}};
    op.levels = {{key, made.version, made.counts}};
    history.writes.push_back(op);
    pass(microseconds(10));
    return history.writes.back();
  }

  // The movement alone, as of now.
  LedgerMovement& move(const Key& key, std::int64_t delta, const std::string& request = "") {
    std::vector<LedgerMovement>& movements = era.ledger.movements[key];
    const std::int64_t before = movements.empty() ? 0 : movements.back().counts.on_hand;
    movements.push_back({.version = static_cast<Version>(movements.size() + 1),
                         .exists = true,
                         .counts = {.on_hand = before + delta},
                         .on_hand_delta = delta,
                         .committed_at = database(now_),
                         .seen_by = database(now_ + kProof),
                         .xid = ++xids_,
                         .request = request});
    if (!request.empty()) era.ledger.requests[request] = {{key, movements.back().version}};
    return movements.back();
  }

  // What is true of the key as of `at`, as `layer` would say it now.
  [[nodiscard]] Statement truth(const Key& key, microseconds at,
                                const std::string& layer = "memory") const {
    Statement said{.key = key, .true_through = database(at), .age = now_ - at, .layer = layer};
    const auto it = era.ledger.movements.find(key);
    if (it == era.ledger.movements.end()) return said;
    for (const LedgerMovement& movement : it->second) {
      if (movement.committed_at + kFlush > database(at)) break;
      said.exists = movement.exists;
      said.version = movement.version;
      said.counts = movement.counts;
      said.as_of = movement.committed_at;
    }
    return said;
  }

  // A read of what was true `old` before its answer; in the middle of it.
  ReadOp& read(const std::vector<Key>& keys, microseconds old, Asked asked = Asked::kBounded,
               int client = 0, const std::string& layer = "memory") {
    ReadOp op{.client = client, .from = "forge", .sent = local(now_), .asked = asked};
    op.bound = std::chrono::seconds(5);
    op.uncertainty = microseconds(40);
    now_ += kRoundTrip / 2;
    op.read_time = database(now_ - old);
    for (const Key& key : keys) {
      Statement& said = op.levels.emplace_back(truth(key, now_ - old, layer));
      said.in_transition = asked == Asked::kReadTime && is_settling(key, said);
    }
    op.age = old;
    now_ += kRoundTrip / 2;
    op.received = local(now_);
    history.reads.push_back(op);
    pass(microseconds(10));
    return history.reads.back();
  }
  ReadOp& consistent_read(const Key& key, int client = 0) {
    return read({key}, microseconds(0), Asked::kFullyConsistent, client, "primary");
  }
  ReadOp& token_read(const std::vector<Key>& keys, const std::string& request, microseconds old,
                     int client = 0) {
    ReadOp& op = read(keys, old, Asked::kAtLeast, client);
    op.token_of = request;
    return op;
  }

  void pass(microseconds time) {
    now_ += time;
    if (now_ >= sampled_ + microseconds(500)) sample();
  }
  [[nodiscard]] microseconds now() const { return now_; }

  [[nodiscard]] Verdict verdict() const { return check_history(history, {era}); }

  History history;
  Era era;

 private:
  // Whether the instant that it is true through is before the proof of its version.
  [[nodiscard]] bool is_settling(const Key& key, const Statement& said) const {
    if (said.version == 0) return false;
    const auto& movements = era.ledger.movements.at(key);
    return said.true_through <= movements[static_cast<std::size_t>(said.version - 1)].seen_by;
  }
  void sample() {
    sampled_ = now_;
    history.clock.push_back(
        {local(now_), database(now_ + microseconds(15)), local(now_ + microseconds(30))});
  }

  microseconds now_{1'000'000};
  microseconds sampled_{0};
  std::size_t requests_ = 0;
  std::uint64_t xids_ = 100;
};

inline std::vector<OffenceKind> kinds(const Verdict& verdict) {
  std::vector<OffenceKind> kinds;
  for (const Offence& offence : verdict.offences) kinds.push_back(offence.kind);
  return kinds;
}

inline const Key kLamp{"lamp", "main"};
inline const Key kVase{"vase", "main"};
inline constexpr microseconds kLong(50'000);

}  // namespace stock::support

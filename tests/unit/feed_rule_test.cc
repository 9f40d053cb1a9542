// The rule of freshness, tried at random: a small ledger with transactions whose commit records,
// visibility and order differ, a standby that lags, two leaders, processes that start at any time,
// and a store of copies that may lose, reorder and resurrect anything. After every judgement the
// claim is checked against what happened. Each mutant breaks one sentence of the rule, and must be
// caught: so this test can fail.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <vector>

#include "stock/feed/view.h"
#include "support/recorded.h"

namespace stock::feed {
namespace {

using domain::DatabaseTime;
using domain::Key;
using domain::Reading;
using domain::Snapshot;
using domain::Xid;

enum class Mutant {
  kNone,
  kSinceTooEarly,      // since = 1 + the newest heartbeat
  kLosesMoves,         // the feed forgets one poll in twenty
  kDatedWhenStored,    // a copy gets the heartbeat of the moment at which it is stored
  kStampedWhenStored,  // what a writer pushes after its commit is stamped by its clock then
  kNoBeginning,        // a table that has just been loaded vouches for everything
};

constexpr domain::Incarnation kIncarnation = 1;
constexpr int kKeys = 6;
constexpr std::size_t kSlots = 4;  // so that keys meet in them
constexpr int kProcesses = 3;
constexpr int kSteps = 4000;

DatabaseTime at(std::int64_t t) { return DatabaseTime(std::chrono::microseconds(t)); }
std::int64_t ticks(DatabaseTime t) { return t.time_since_epoch().count(); }

class World {
 public:
  World(unsigned seed, Mutant mutant) : random_(seed), mutant_(mutant) {
    for (int k = 0; k < kKeys; ++k) keys_.push_back({"sku " + std::to_string(k), "main"});
    beats_.push_back({snapshot(), late()});
    wal_.push_back({.beat = 1, .stamp = beats_[0].stamp});
    for (Process& process : processes_) start(process);
  }

  // False claims, of all claims.
  int falsehoods = 0;
  int claims = 0;
  int current = 0;

  void run() {
    for (int i = 0; i < kSteps && falsehoods == 0; ++i) step();
  }

 private:
  struct Beat {
    Snapshot snapshot;
    std::int64_t stamp;
  };
  struct Record {  // of the log that the standby replays
    int beat = 0;  // a heartbeat, or
    int key = 0;   // a version of a key
    int version = 0;
    std::int64_t stamp = 0;
  };
  struct Flight {
    int key = 0;
    Reading reading;
    bool push = false;
  };
  struct Process {
    View view{kSlots};
    Snapshot position;
    std::vector<Flight> flights;
  };
  struct Committing {
    int key;
    std::size_t process;
    std::int64_t beats;
  };

  int below(int n) { return std::uniform_int_distribution<>(0, n - 1)(random_); }
  bool chance(double p) { return std::bernoulli_distribution(p)(random_); }
  std::int64_t late() { return now_ - below(4); }  // a stamp precedes its snapshot

  Snapshot snapshot() const {
    const Xid xmax = last_ended_ + 1;
    std::vector<Xid> running;
    for (const auto& [xid, key] : active_) {
      if (xid < xmax) running.push_back(xid);
    }
    return {running.empty() ? xmax : running.front(), xmax, running};
  }
  bool visible(Xid xid, const Snapshot& s) const {
    return s.shows(xid) && committed_.contains(xid);
  }
  int version(int key, const Snapshot& s) const {
    int v = 0;
    for (const Xid xid : moves_[key]) v += visible(xid, s) ? 1 : 0;
    return v;
  }
  std::int64_t newest_beat() const { return static_cast<std::int64_t>(beats_.size()); }
  std::int64_t committed_at(int key, int v) const {
    const auto it = commit_time_.find({key, v});
    return it == commit_time_.end() ? 0 : it->second;
  }

  void apply(Process& process, const Snapshot& since) {
    const Snapshot to = snapshot();
    if (mutant_ == Mutant::kLosesMoves && chance(0.05)) return;
    const std::int64_t since_beat = newest_beat() + (mutant_ == Mutant::kSinceTooEarly ? 1 : 2);
    for (int k = 0; k < kKeys; ++k) {
      for (std::size_t i = 0; i < moves_[k].size(); ++i) {
        if (visible(moves_[k][i], to) && !since.shows(moves_[k][i])) {
          support::record(process.view, keys_[k], static_cast<std::int64_t>(i) + 1, since_beat);
        }
      }
    }
  }
  void publish(Process& process, std::int64_t stamp) {
    process.position = snapshot();
    process.view.publish({.incarnation = kIncarnation,
                          .stamp = at(stamp),
                          .confirmed_at = {},
                          .heartbeat = newest_beat(),
                          .xmin = process.position.xmin(),
                          .xmax = process.position.xmax()},
                         std::make_shared<const Snapshot>(process.position));
  }
  void start(Process& process) {
    const int oldest = std::max(1, static_cast<int>(newest_beat()) - 20);
    const std::int64_t h0 = oldest + below(static_cast<int>(newest_beat()) - oldest + 1);
    process.view.begin();
    const std::int64_t stamp = late();
    apply(process, beats_[static_cast<std::size_t>(h0 - 1)].snapshot);
    process.view.open(kIncarnation, mutant_ == Mutant::kNoBeginning ? 0 : h0);
    publish(process, stamp);
  }

  Reading reading(int key, int v, std::int64_t n, std::int64_t stamp) const {
    return {.exists = v > 0,
            .version = v,
            .as_of = at(committed_at(key, v)),
            .true_through = at(std::max(stamp, committed_at(key, v))),
            .incarnation = kIncarnation,
            .heartbeat = n};
  }

  void begin_transaction() {
    const int key = below(kKeys + 1) - 1;  // -1: it moves nothing
    if (key >= 0 && locked_.contains(key)) return;
    active_[next_xid_] = key;
    if (key >= 0) locked_.insert(key);
    ++next_xid_;
  }
  void record_commit() {
    std::vector<Xid> candidates;
    for (const auto& [xid, key] : active_) {
      if (!committing_.contains(xid)) candidates.push_back(xid);
    }
    if (candidates.empty()) return;
    const Xid xid =
        candidates[static_cast<std::size_t>(below(static_cast<int>(candidates.size())))];
    const int key = active_[xid];
    if (key >= 0 && chance(0.85)) {
      const int v = static_cast<int>(moves_[key].size()) + 1;
      committing_[xid] = {key, static_cast<std::size_t>(below(kProcesses)), newest_beat()};
      commit_time_[{key, v}] = now_;
      wal_.push_back({.key = key, .version = v});
    } else {
      end(xid);
    }
  }
  void end(Xid xid) {
    if (active_[xid] >= 0) locked_.erase(active_[xid]);
    active_.erase(xid);
    last_ended_ = std::max(last_ended_, xid);
  }
  void become_visible() {
    if (committing_.empty()) return;
    auto it = committing_.begin();
    std::advance(it, below(static_cast<int>(committing_.size())));
    const auto [xid, c] = *it;
    committing_.erase(it);
    end(xid);
    committed_.insert(xid);
    moves_[c.key].push_back(xid);
    const int v = static_cast<int>(moves_[c.key].size());
    seen_[{c.key, v}] = now_;
    if (chance(0.7)) {
      processes_[c.process].flights.push_back(
          {c.key, reading(c.key, v, c.beats, committed_at(c.key, v)), true});
    }
  }
  void heartbeat() {
    if (chance(0.2)) {
      second_leaders_.push_back(snapshot());  // it waits for the row of the first one
    } else if (beating_) {
      beats_.push_back(*beating_);
      beating_.reset();
    } else {
      Beat beat{snapshot(), late()};
      if (!second_leaders_.empty() && chance(0.5)) {
        beat.snapshot = second_leaders_.front();
        second_leaders_.erase(second_leaders_.begin());
      }
      beating_ = beat;
      wal_.push_back({.beat = static_cast<int>(newest_beat()) + 1, .stamp = beat.stamp});
    }
  }
  void read_database(Process& process) {
    const int key = below(kKeys);
    if (chance(0.7)) {
      const std::int64_t stamp = late();
      const int v = version(key, snapshot());
      process.flights.push_back({key, reading(key, v, newest_beat(), stamp)});
      return;
    }
    int beat = 0;
    int v = 0;
    std::int64_t stamp = 0;
    for (std::size_t i = 0; i < replayed_; ++i) {
      const Record& record = wal_[i];
      if (record.beat > 0) {
        beat = record.beat;
        stamp = record.stamp;
      } else if (record.key == key) {
        v = std::max(v, record.version);
      }
    }
    if (beat > 0) process.flights.push_back({key, reading(key, v, beat, stamp)});
  }
  void store_copy(Process& process) {
    if (process.flights.empty()) return;
    const int i = below(static_cast<int>(process.flights.size()));
    Flight flight = process.flights[static_cast<std::size_t>(i)];
    process.flights.erase(process.flights.begin() + i);
    if (mutant_ == Mutant::kDatedWhenStored) flight.reading.heartbeat = newest_beat();
    if (mutant_ == Mutant::kStampedWhenStored && flight.push)
      flight.reading.true_through = at(now_);
    put(flight.key, flight.reading);
  }
  void put(int key, const Reading& copy) {
    store_[key] = copy;
    ever_[key].push_back(copy);
  }
  void forget_or_resurrect() {
    const int key = below(kKeys);
    store_.erase(key);
    if (!ever_[key].empty() && chance(0.7)) {
      store_[key] =
          ever_[key][static_cast<std::size_t>(below(static_cast<int>(ever_[key].size())))];
    }
  }
  void judge(const Process& process) {
    const int key = below(kKeys);
    const auto it = store_.find(key);
    if (it == store_.end()) return;
    Reading copy = it->second;
    const Standing standing = process.view.judge(process.view.now(), fingerprint(keys_[key]), copy);
    if (standing == Standing::kSuperseded) return;
    ++claims;
    current += standing == Standing::kCurrent ? 1 : 0;
    check(key, copy);
    Reading renewed = it->second;
    if (chance(0.2) && process.view.renew(keys_[key], renewed)) put(key, renewed);
  }
  // It had been committed, and its successor was not surely visible before.
  void check(int key, const Reading& copy) {
    const int v = static_cast<int>(copy.version);
    const std::int64_t t = ticks(copy.true_through);
    const auto successor = seen_.find({key, v + 1});
    if ((v > 0 && t < committed_at(key, v)) ||
        (successor != seen_.end() && successor->second < t)) {
      ++falsehoods;
    }
  }

  void step() {
    ++now_;
    Process& process = processes_[static_cast<std::size_t>(below(kProcesses))];
    const double a = std::uniform_real_distribution<>()(random_);
    if (a < .16) return begin_transaction();
    if (a < .26) return record_commit();
    if (a < .36) return become_visible();
    if (a < .42) return heartbeat();
    if (a < .46) {
      replayed_ = std::min(wal_.size(), replayed_ + static_cast<std::size_t>(below(6)));
      return;
    }
    if (a < .60) {
      const std::int64_t stamp = late();
      apply(process, process.position);
      return publish(process, stamp);
    }
    if (a < .61) return start(process);
    if (a < .72) return read_database(process);
    if (a < .82) return store_copy(process);
    if (a < .85) return forget_or_resurrect();
    judge(process);
  }

  std::minstd_rand random_;
  const Mutant mutant_;
  std::vector<Key> keys_;
  std::int64_t now_ = 0;
  Xid next_xid_ = 10;
  Xid last_ended_ = 9;
  std::map<Xid, int> active_;
  std::set<int> locked_;
  std::map<Xid, Committing> committing_;
  std::set<Xid> committed_;
  std::array<std::vector<Xid>, kKeys> moves_;  // in order of version
  std::map<std::pair<int, int>, std::int64_t> commit_time_;
  std::map<std::pair<int, int>, std::int64_t> seen_;
  std::vector<Beat> beats_;
  std::optional<Beat> beating_;
  std::vector<Snapshot> second_leaders_;
  std::vector<Record> wal_;
  std::size_t replayed_ = 0;
  std::map<int, Reading> store_;
  std::array<std::vector<Reading>, kKeys> ever_;
  std::array<Process, kProcesses> processes_;
};

constexpr unsigned kRuns = 60;

TEST(FeedRule, makes_no_false_claim) {
  int claims = 0;
  int current = 0;
  for (unsigned seed = 1; seed <= kRuns; ++seed) {
    World world(seed, Mutant::kNone);
    world.run();
    ASSERT_EQ(world.falsehoods, 0) << "seed " << seed;
    claims += world.claims;
    current += world.current;
  }
  // It claims something, and some copies profit: how many depends on which keys meet in a slot.
  EXPECT_GT(claims, 10'000);
  EXPECT_GT(current, 100);
}

class FeedRuleMutant : public ::testing::TestWithParam<Mutant> {};

TEST_P(FeedRuleMutant, is_caught) {
  bool caught = false;
  for (unsigned seed = 1; seed <= 4 * kRuns && !caught; ++seed) {
    World world(seed, GetParam());
    world.run();
    caught = world.falsehoods > 0;
  }
  EXPECT_TRUE(caught);
}

INSTANTIATE_TEST_SUITE_P(Each, FeedRuleMutant,
                         ::testing::Values(Mutant::kSinceTooEarly, Mutant::kLosesMoves,
                                           Mutant::kDatedWhenStored, Mutant::kStampedWhenStored,
                                           Mutant::kNoBeginning));

}  // namespace
}  // namespace stock::feed

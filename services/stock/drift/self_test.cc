#include "stock/drift/self_test.h"

#include <fmt/format.h>

#include <array>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace stock::drift {
namespace {

using domain::DatabaseTime;
using domain::Key;
using domain::Reading;
using domain::Version;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Every key has had three versions, of 10, 20 and 30 units, each ten seconds after the one before,
// the last ten seconds ago; heartbeat n is the first that showed version n, and one came since.
constexpr Version kNewest = 3;
constexpr std::int64_t kUnits = 10;
constexpr domain::HeartbeatNumber kHeartbeat = 4;
constexpr auto kSeenAfter = milliseconds(100);

DatabaseTime committed(Version version, DatabaseTime now) {
  return now - seconds(10 * (kNewest + 1 - version));
}

VersionFact fact(Version version, DatabaseTime now) {
  const DatabaseTime at = committed(version, now);
  return {.exists = true,
          .counts = {.on_hand = version * kUnits},
          .committed_at = at,
          .seen_by = at + kSeenAfter,
          .shown_by = version,
          .written_at = at};
}

// As an honest layer says it that has read it when it was new, or that is still told it is true.
Reading statement(Version version, std::int64_t on_hand, DatabaseTime as_of,
                  DatabaseTime true_through, domain::HeartbeatNumber heartbeat) {
  return {.exists = true,
          .version = version,
          .counts = {.on_hand = on_hand},
          .as_of = as_of,
          .true_through = true_through,
          .heartbeat = heartbeat};
}

// What is said of a key, and what has to be found of it.
struct Part {
  const char* name;
  Reading says;
  Verdict verdict;
  std::int64_t units = 0;
  std::int64_t versions = 0;
};

std::array<Part, 9> parts(DatabaseTime now) {
  const DatabaseTime just = now - seconds(1);  // after the newest version was seen
  const DatabaseTime then = committed(2, now) + seconds(1);
  const auto of = [now](Version version) { return committed(version, now); };
  return {{
      {"honest", statement(3, 30, of(3), just, 4), Verdict::kCurrent},
      {"stale", statement(2, 20, of(2), then, 2), Verdict::kStale, -10, 1},
      {"date", statement(2, 20, of(2), just, 2), Verdict::kMisdated, -10, 1},
      {"heartbeat", statement(1, 10, of(1), of(1), 2), Verdict::kMisdated, -20, 2},
      {"future", statement(3, 30, of(3), now + seconds(60), 4), Verdict::kMisdated, 0, 0},
      {"commit", statement(3, 30, of(1), just, 4), Verdict::kMisdated, 0, 0},
      {"counts", statement(3, 31, of(3), just, 4), Verdict::kWrongCount, 1, 0},
      {"never", statement(0, 99, just, just, 4), Verdict::kNeverTrue, 69, 0},
      {"ahead", statement(5, 30, just, just, 4), Verdict::kAhead, 0, -2},
  }};
}

// Nobody can name such a key: a SKU holds nothing unprintable.
Key key_of(std::uint64_t trial, const char* name) {
  return {.sku = fmt::format("\x01{}", trial), .location = name};
}

}  // namespace

// A layer that says what it is told to.
class SelfTest::Script final : public layers::Layer {
 public:
  [[nodiscard]] std::string_view name() const override { return "selftest"; }

  void say(std::map<Key, Reading> what) {
    const std::lock_guard lock(mutex_);
    says_ = std::move(what);
  }
  void read(std::span<const Key> keys, std::span<layers::Answer> answers,
            const layers::ReadContext& /*context*/, layers::Done done) override {
    {
      const std::lock_guard lock(mutex_);
      for (std::size_t i = 0; i < keys.size(); ++i) {
        const auto said = says_.find(keys[i]);
        if (said != says_.end()) answers[i] = {domain::Outcome::kHit, said->second};
      }
    }
    done("");
  }

 private:
  std::mutex mutex_;
  std::map<Key, Reading> says_;  // guarded by mutex_
};

// The same history of every key there may be. There are none to go through in rounds.
class SelfTest::MadeUpLedger final : public HistorySource {
 public:
  void begin(DatabaseTime now) {
    const std::lock_guard lock(mutex_);
    now_ = now;
  }
  absl::StatusOr<std::vector<KeyHistory>> histories(
      std::span<const HistoryQuestion> questions) override {
    const std::lock_guard lock(mutex_);
    KeyHistory history{.newest = kNewest, .current = fact(kNewest, now_)};
    for (Version version = 1; version <= kNewest; ++version) {
      history.versions[version] = fact(version, now_);
    }
    history.heartbeat = kHeartbeat;
    return std::vector<KeyHistory>(questions.size(), history);
  }
  absl::StatusOr<std::vector<domain::Xid>> writers() override { return std::vector<domain::Xid>(); }
  absl::StatusOr<std::vector<Key>> keys_after(const Key& /*after*/, int /*limit*/) override {
    return std::vector<Key>();
  }

 private:
  std::mutex mutex_;
  DatabaseTime now_;  // when the trial began; guarded by mutex_
};

// Of this auditor only its findings matter.
class SelfTest::Silent final : public Observer {
 public:
  void examined(std::size_t /*layer*/, const Judgement& /*judgement*/) override {}
  void pass_finished(std::span<const LayerSummary> /*layers*/, const Pass& /*pass*/) override {}
  void pass_failed(const absl::Status& /*why*/) override {}
};

// Holds what is found against what was planted. The liar is layer 0.
class SelfTest::Judge final : public Auditor::Listener {
 public:
  Judge(const clock::LocalClock& clock, SelfTestObserver& observer)
      : clock_(clock), observer_(observer) {}

  void expect(std::map<Key, Part> planted, domain::LocalTime at) {
    const std::lock_guard lock(mutex_);
    open_.clear();
    for (const auto& [key, part] : planted) {
      if (part.verdict != Verdict::kCurrent) open_.insert(key);
    }
    planted_ = std::move(planted);
    planted_at_ = at;
  }

  // Counts what has not been found by then, unless it is to stop.
  void await(const std::stop_token& stop, std::chrono::nanoseconds patience) {
    std::unique_lock lock(mutex_);
    all_found_.wait_for(lock, stop, patience, [this] { return open_.empty(); });
    if (stop.stop_requested()) return;
    for (std::size_t i = 0; i < open_.size(); ++i) observer_.lie_missed();
    open_.clear();
  }

  void found(std::size_t layer, const Key& key, const Finding& finding) override {
    const std::lock_guard lock(mutex_);
    const auto planted = planted_.find(key);
    if (planted == planted_.end()) return;  // of an earlier trial
    const Part& part = planted->second;
    const Judgement& judgement = finding.judgement;
    if (layer != 0 || part.verdict == Verdict::kCurrent) {
      if (diverges(judgement.verdict)) observer_.falsely_accused();
      return;
    }
    const bool named = judgement.verdict == part.verdict && judgement.units == part.units &&
                       judgement.versions == part.versions;
    if (!named || open_.erase(key) == 0) return;
    observer_.lie_found(clock_.now() - planted_at_);
    if (open_.empty()) all_found_.notify_all();
  }

 private:
  const clock::LocalClock& clock_;
  SelfTestObserver& observer_;
  std::mutex mutex_;  // guards the rest
  std::condition_variable_any all_found_;
  std::map<Key, Part> planted_;
  std::set<Key> open_;  // lies that were not found yet
  domain::LocalTime planted_at_;
};

SelfTest::SelfTest(Options options, const clock::LocalClock& clock, SelfTestObserver& observer)
    : options_(std::move(options)),
      clock_(clock),
      database_clock_(clock),
      ledger_(std::make_unique<MadeUpLedger>()),
      liar_(std::make_unique<Script>()),
      honest_(std::make_unique<Script>()),
      silent_(std::make_unique<Silent>()),
      judge_(std::make_unique<Judge>(clock, observer)),
      planted_(parts(DatabaseTime()).size()),
      unread_(1, clock),
      auditor_(std::make_unique<Auditor>(
          options_.auditor, std::vector<Witness>{{.layer = liar_.get()}, {.layer = honest_.get()}},
          Auditor::Sources{.moved = planted_, .read = unread_}, *ledger_, database_clock_, clock,
          *silent_, std::vector<Auditor::Listener*>{judge_.get()})),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

SelfTest::~SelfTest() = default;

void SelfTest::run(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  for (std::uint64_t trial = 1; !stop.stop_requested(); ++trial) {
    const domain::LocalTime at = clock_.now();
    // The made-up ledger's clock is this machine's, a day ahead so that its past is after the
    // epoch.
    const DatabaseTime now(
        std::chrono::hours(24) +
        std::chrono::duration_cast<std::chrono::microseconds>(at.time_since_epoch()));
    database_clock_.measured(at, now, at);
    ledger_->begin(now);
    std::map<Key, Part> planted;
    std::map<Key, Reading> said;
    std::map<Key, Reading> truth;
    for (const Part& part : parts(now)) {
      const Key key = key_of(trial, part.name);
      planted.emplace(key, part);
      said.emplace(key, part.says);
      truth.emplace(key, statement(kNewest, kNewest * kUnits, committed(kNewest, now),
                                   now - seconds(1), kHeartbeat));
    }
    judge_->expect(planted, at);
    liar_->say(std::move(said));
    honest_->say(std::move(truth));
    for (const auto& [key, part] : planted) planted_.put(key, at);
    judge_->await(stop, options_.patience);
    // So that nothing is left to be followed up until the next trial.
    liar_->say({});
    honest_->say({});
    std::unique_lock lock(mutex);
    never.wait_for(lock, stop, options_.interval, [] { return false; });
  }
}

}  // namespace stock::drift

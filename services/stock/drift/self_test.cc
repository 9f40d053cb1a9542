#include "stock/drift/self_test.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <utility>

#include "stock/drift/inquiry.h"
#include "stock/drift/made_up.h"

namespace stock::drift {
namespace {

using domain::DatabaseTime;
using domain::Incarnation;
using domain::Key;
using domain::Reading;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr std::string_view kMadeUp = "made_up";
// The witnesses; doors come after them.
constexpr std::size_t kLiar = 0;
constexpr std::size_t kDoors = 2;

// Less than what is between the dates of the made-up history.
constexpr seconds kWorstClock(5);
constexpr seconds kClockWasSet(1);
// A look that a layer did not answer is not the last one.
constexpr seconds kLookAgain(1);

std::uint64_t random_number() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

void pause(const std::stop_token& stop, nanoseconds time) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, time, [] { return false; });
}

}  // namespace

struct SelfTest::Trial {
  // What was said of a key, where.
  struct Part {
    std::size_t witness = kLiar;
    made_up::Statement statement;
  };
  domain::LocalTime began;
  DatabaseTime now;       // when it began, at the earliest
  nanoseconds offset{0};  // of the database's clock
  Incarnation incarnation = 0;
  std::map<Key, Part> parts;
  std::map<std::size_t, std::vector<Key>> offered;  // by door

  [[nodiscard]] std::vector<Key> keys_in(std::size_t witness) const {
    std::vector<Key> keys;
    for (const auto& [key, part] : parts) {
      if (part.witness == witness) keys.push_back(key);
    }
    return keys;
  }
};

// A layer that says what it is told to.
class SelfTest::Script final : public layers::Layer {
 public:
  [[nodiscard]] std::string_view name() const override { return kMadeUp; }

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
        if (said != says_.end()) answers[i] = {domain::Outcome::kHit, said->second, nullptr};
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
  void begin(DatabaseTime now, Incarnation incarnation) {
    const std::lock_guard lock(mutex_);
    history_ = made_up::history(now, incarnation);
  }
  absl::StatusOr<std::vector<KeyHistory>> histories(
      std::span<const HistoryQuestion> questions) override {
    const std::lock_guard lock(mutex_);
    return std::vector<KeyHistory>(questions.size(), history_);
  }
  absl::StatusOr<std::vector<domain::Xid>> writers() override { return std::vector<domain::Xid>(); }
  absl::StatusOr<std::vector<Key>> keys_after(const Key& /*after*/, int /*limit*/) override {
    return std::vector<Key>();
  }

 private:
  std::mutex mutex_;
  KeyHistory history_;  // guarded by mutex_
};

// Of this auditor only its findings matter.
class SelfTest::Silent final : public Observer {
 public:
  void examined(std::size_t /*layer*/, const Judgement& /*judgement*/) override {}
  void pass_finished(std::span<const LayerSummary> /*layers*/, const Pass& /*pass*/) override {}
  void pass_failed(const absl::Status& /*why*/) override {}
};

// Holds what is found against what was planted.
class SelfTest::Judge final : public Auditor::Listener {
 public:
  Judge(const std::vector<BackDoor>& doors, const clock::LocalClock& clock)
      : doors_(doors), clock_(clock) {}

  struct Found {
    std::map<Key, nanoseconds> lies;   // how long after they were planted
    std::vector<std::size_t> accused;  // witnesses, each time
    std::set<Key> unanswered;          // the last time that the auditor asked for them
  };

  void expect(std::map<Key, Trial::Part> parts, domain::LocalTime at) {
    const std::lock_guard lock(mutex_);
    parts_ = std::move(parts);
    open_ = 0;
    for (const auto& [key, part] : parts_) open_ += is_lie_of(part) ? 1 : 0;
    planted_at_ = at;
    found_ = {};
  }
  // True: every lie was found.
  bool await(const std::stop_token& stop, nanoseconds patience) {
    std::unique_lock lock(mutex_);
    return all_found_.wait_for(lock, stop, patience, [this] { return open_ == 0; });
  }
  // Ends the trial.
  Found take() {
    const std::lock_guard lock(mutex_);
    parts_.clear();
    return std::exchange(found_, {});
  }

  void found(std::size_t witness, const Key& key, const Finding& finding) override {
    const std::lock_guard lock(mutex_);
    const auto planted = parts_.find(key);
    if (planted == parts_.end()) return;  // of an earlier trial
    const Trial::Part& part = planted->second;
    const Judgement& judgement = finding.judgement;
    if (witness != part.witness || !is_lie_of(part)) {
      if (diverges(judgement.verdict)) found_.accused.push_back(witness);
      return;
    }
    if (judgement.verdict == Verdict::kUnreachable) {
      found_.unanswered.insert(key);
      return;
    }
    found_.unanswered.erase(key);
    const bool redated = witness >= kDoors && doors_[witness - kDoors].redates;
    if (!made_up::names(judgement, part.statement, redated)) return;
    if (!found_.lies.try_emplace(key, clock_.now() - planted_at_).second) return;
    if (--open_ == 0) all_found_.notify_all();
  }

  static bool is_lie_of(const Trial::Part& part) {
    return part.statement.verdict != Verdict::kCurrent;
  }

 private:
  const std::vector<BackDoor>& doors_;
  const clock::LocalClock& clock_;
  std::mutex mutex_;  // guards the rest
  std::condition_variable_any all_found_;
  std::map<Key, Trial::Part> parts_;
  std::size_t open_ = 0;  // lies that were not found yet
  domain::LocalTime planted_at_;
  Found found_;
};

SelfTest::SelfTest(Options options, std::vector<BackDoor> doors,
                   const feed::LedgerIdentity& identity, const clock::DatabaseClock& database_clock,
                   const clock::LocalClock& clock, SelfTestObserver& observer)
    : options_(std::move(options)),
      doors_(std::move(doors)),
      identity_(identity),
      database_clock_(database_clock),
      clock_(clock),
      observer_(observer),
      nonce_(random_number()),
      ledger_(std::make_unique<MadeUpLedger>()),
      liar_(std::make_unique<Script>()),
      honest_(std::make_unique<Script>()),
      silent_(std::make_unique<Silent>()),
      judge_(std::make_unique<Judge>(doors_, clock)),
      planted_(2 * (1 + doors_.size()) * made_up::kStatements),
      unread_(1, clock) {
  std::vector<Witness> witnesses{{.layer = liar_.get()}, {.layer = honest_.get()}};
  for (const BackDoor& door : doors_) witnesses.push_back({.layer = door.layer});
  auditor_ = std::make_unique<Auditor>(
      options_.auditor, std::move(witnesses), Auditor::Sources{.moved = planted_, .read = unread_},
      *ledger_, database_clock, clock, *silent_, std::vector<Auditor::Listener*>{judge_.get()});
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

SelfTest::~SelfTest() = default;

void SelfTest::run(const std::stop_token& stop) {
  for (std::uint64_t number = 1; !stop.stop_requested(); ++number) {
    std::optional<Trial> trial = draw_up(number);
    if (!trial) {
      pause(stop, std::min<nanoseconds>(options_.interval, kLookAgain));
      continue;
    }
    plant(*trial, stop);
    await(*trial, stop);
    if (!stop.stop_requested()) tell(*trial, stop);
    take_back(*trial);
    pause(stop, options_.interval);
  }
}

std::optional<SelfTest::Trial> SelfTest::draw_up(std::uint64_t number) const {
  Trial trial{.began = clock_.now(), .incarnation = identity_.current()};
  const auto clock = database_clock_.estimate(trial.began);
  const auto now = database_clock_.earliest(trial.began);
  if (!clock || clock->error > kWorstClock || !now) return std::nullopt;
  trial.now = *now;
  trial.offset = clock->offset;
  const auto add = [&](std::size_t witness) {
    const std::string sku = fmt::format("\x01{:016x}.{}.{}", nonce_, number, name_of(witness));
    // Nobody can name such a key: a SKU holds nothing unprintable.
    for (const made_up::Statement& statement : made_up::statements(*now, trial.incarnation)) {
      trial.parts.insert({{.sku = sku, .location = statement.name}, {witness, statement}});
    }
  };
  add(kLiar);
  for (std::size_t d = 0; d < doors_.size(); ++d) {
    if (trial.incarnation != 0 && doors_[d].power->on()) add(kDoors + d);
  }
  return trial;
}

void SelfTest::plant(Trial& trial, const std::stop_token& stop) {
  ledger_->begin(trial.now, trial.incarnation);
  std::map<Key, Reading> said;
  std::map<Key, Reading> true_of;
  for (const auto& [key, part] : trial.parts) {
    if (part.witness != kLiar) continue;
    said.emplace(key, part.statement.says);
    true_of.emplace(key, made_up::truth(trial.now, trial.incarnation));
  }
  liar_->say(std::move(said));
  honest_->say(std::move(true_of));
  for (std::size_t d = 0; d < doors_.size(); ++d) {
    std::vector<Key> keys = trial.keys_in(kDoors + d);
    if (keys.empty()) continue;
    std::vector<Reading> copies;
    for (const Key& key : keys) copies.push_back(trial.parts.at(key).statement.says);
    doors_[d].fill->offer(keys, copies);
    trial.offered.emplace(d, keys);
    const std::set<Key> there = held(*doors_[d].layer, std::move(keys), stop);
    std::erase_if(trial.parts, [&](const auto& planted) {
      return planted.second.witness == kDoors + d && !there.contains(planted.first);
    });
  }
  const domain::LocalTime at = clock_.now();
  judge_->expect(trial.parts, at);
  for (const auto& [key, part] : trial.parts) planted_.put(key, at);
}

void SelfTest::await(const Trial& trial, const std::stop_token& stop) {
  for (nanoseconds left = options_.patience; left.count() > 0; left -= kLookAgain) {
    if (judge_->await(stop, std::min<nanoseconds>(left, kLookAgain))) return;
    if (stop.stop_requested()) return;
    for (const auto& [key, part] : trial.parts) {
      if (part.witness >= kDoors) planted_.put(key, clock_.now());
    }
  }
}

void SelfTest::tell(const Trial& trial, const std::stop_token& stop) {
  const Judge::Found found = judge_->take();
  std::map<std::size_t, std::vector<Key>> missed;  // by witness
  for (const auto& [key, part] : trial.parts) {
    const bool settled = found.lies.contains(key) || found.unanswered.contains(key);
    if (Judge::is_lie_of(part) && !settled) missed[part.witness].push_back(key);
  }
  for (auto& [witness, keys] : missed) {
    if (witness < kDoors) continue;
    const std::set<Key> there = held(*doors_[witness - kDoors].layer, keys, stop);
    std::erase_if(keys, [&](const Key& key) { return !there.contains(key); });
  }
  if (stop.stop_requested() || !counts(trial)) return;
  for (const std::size_t witness : found.accused) observer_.falsely_accused(name_of(witness));
  for (const auto& [key, after] : found.lies) {
    observer_.lie_found(name_of(trial.parts.at(key).witness), after);
  }
  for (const auto& [witness, keys] : missed) {
    for (const Key& key : keys) {
      observer_.lie_missed(name_of(witness), trial.parts.at(key).statement.name);
    }
  }
}

// Nothing is left to be followed up until the next trial.
void SelfTest::take_back(const Trial& trial) {
  liar_->say({});
  honest_->say({});
  // What cannot be removed goes when the layer's own time for it is over.
  for (const auto& [door, keys] : trial.offered) {
    doors_[door].copies->remove(keys, [](const absl::Status&) {});
  }
}

std::set<Key> SelfTest::held(layers::Layer& layer, std::vector<Key> keys,
                             const std::stop_token& stop) const {
  const auto asked = Inquiry::send(std::move(keys), {&layer}, clock_, options_.auditor.patience);
  const Inquiry::Statement statement = std::move(asked->wait(stop).front());
  std::set<Key> held;
  for (std::size_t i = 0; i < statement.answers.size(); ++i) {
    if (statement.answers[i].found()) held.insert(asked->keys()[i]);
  }
  return held;
}

bool SelfTest::counts(const Trial& trial) const {
  const domain::LocalTime now = clock_.now();
  if (now - trial.began > 2 * options_.patience) return false;
  const auto clock = database_clock_.estimate(now);
  return clock && std::chrono::abs(clock->offset - trial.offset) < kClockWasSet &&
         identity_.current() == trial.incarnation;
}

std::string_view SelfTest::name_of(std::size_t witness) const {
  return witness < kDoors ? kMadeUp : doors_[witness - kDoors].layer->name();
}

}  // namespace stock::drift

// What flags say for cohorts: kept, as long as it is known to be so, and asked for once however
// many want to know.
//
// Freshness. An evaluation that was asked for while the service's stream of events was open stays
// what the service says until the stream tells of a change, or breaks: its age is the time since
// the stream was last known to be alive, which each answer of the service shows. When nobody asks,
// it is probed. (To within the time that an event takes to come here.) After a change, or without a
// stream, it is asked for anew. When that fails, the policy decides: what was said last, with its
// true age, or nothing; and the answer says so.
//
// A service that fails is asked only by the probe until that succeeds: it costs readers one wait,
// and not one per call.
//
// Thread-safe. One mutex over flights and what is known of the service, one per shard of the cache;
// none is held while the service or a caller is called.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "stock/clock/local_clock.h"
#include "stock/clock/timers.h"
#include "stock/domain/flags.h"
#include "stock/layers/flag_service.h"

namespace stock::layers {

// What there is to say for one cohort of one key.
struct FlagAnswer {
  // Null: nothing is known, or by policy nothing is told.
  std::shared_ptr<const domain::FlagsSaid> said;
  // The service was known to say so then. The epoch: it never said anything.
  domain::LocalTime true_through;
  // The service did not answer: this is what it said last, or nothing.
  bool unreachable = false;
};

// Counts what happens. Thread-safe and quick.
class FlagObserver {
 public:
  virtual ~FlagObserver() = default;
  enum class Lookup : std::uint8_t { kHit, kMiss, kOutdated };
  static constexpr std::size_t kLookups = 3;
  virtual void looked_up(const std::array<std::int64_t, kLookups>& outcomes) = 0;
  // This is what a caller is told, of each of his questions.
  virtual void answered(std::span<const FlagAnswer> answers) = 0;
  // An evaluation failed; `down`: nobody but the probe asks from now on.
  virtual void failed(const absl::Status& why, bool down) = 0;
  virtual void stream_closed(const absl::Status& why) = 0;
  // It answers again.
  virtual void recovered() = 0;
};

class FlagReader final : private FlagService::Listener {
 public:
  enum class WhenDown : std::uint8_t { kLastKnown, kUnflagged };

  struct Options {
    std::chrono::nanoseconds timeout = std::chrono::milliseconds(250);  // of one evaluation
    std::chrono::nanoseconds probe_interval = std::chrono::seconds(1);
    WhenDown when_down = WhenDown::kLastKnown;
    std::size_t capacity = 100'000;  // evaluations kept; at least 1
    std::size_t max_flights = 64;    // evaluations under way
    std::size_t max_queue = 20'000;  // and that wait for one of them
  };

  FlagReader(Options options, FlagService& service, const clock::LocalClock& clock,
             clock::Timers& timers, FlagObserver& observer);
  ~FlagReader() override;
  FlagReader(const FlagReader&) = delete;
  FlagReader& operator=(const FlagReader&) = delete;

  // Follows the service, and probes it. Once.
  void start();
  // Asks the service nothing more. Then the service goes, having ended what is under way, and then
  // this.
  void stop();

  // Answers one for one, by the deadline: at once where everything is known. `done` is called once,
  // perhaps before this returns, or from any thread.
  using Done = absl::AnyInvocable<void(std::vector<FlagAnswer>)>;
  void evaluate(std::vector<FlagQuestion> questions, domain::LocalTime deadline, Done done);
  // How long a read should wait for it, at most.
  [[nodiscard]] std::chrono::nanoseconds patience() const { return options_.timeout; }

  // What is kept, whatever its age; null: nothing. Asks nobody.
  [[nodiscard]] std::shared_ptr<const domain::FlagsSaid> kept(const FlagQuestion& question) const;

  // Whether the service answered last time.
  [[nodiscard]] bool up() const;
  // When it was asked what it answered last; the epoch: it never answered.
  [[nodiscard]] domain::LocalTime last_answer() const;

 private:
  // Counts the times in which the stream was open and told of no change. 0: none.
  using Era = std::uint64_t;
  enum class Standing : std::uint8_t { kUnknown, kUp, kDown };

  struct Known {
    Era era = 0;
    bool open = false;        // the era goes on
    domain::LocalTime alive;  // through when it is known to have gone on
    Standing standing = Standing::kUnknown;
    domain::LocalTime answered;
  };
  struct Entry {
    std::shared_ptr<const domain::FlagsSaid> said;
    domain::LocalTime asked;
    Era era = 0;
  };
  struct Shard;
  struct Waiter;
  struct Flight;  // one evaluation, from being wanted to its answer
  using Landing = std::vector<std::shared_ptr<Waiter>>;  // to be told, without the mutex

  void opened() override;
  void changed() override;
  void closed(const absl::Status& why) override;

  [[nodiscard]] Shard& shard_of(const FlagQuestion& question) const;
  [[nodiscard]] std::optional<Entry> find(const FlagQuestion& question, bool visit) const;
  void keep(const FlagQuestion& question, Entry entry);

  // Under mutex_.
  [[nodiscard]] bool current(const Entry& entry) const;
  [[nodiscard]] domain::LocalTime true_through(const Entry& entry) const;
  [[nodiscard]] FlagAnswer answer(const std::optional<Entry>& entry, bool unreachable) const;
  void board(const std::shared_ptr<Waiter>& waiter);
  [[nodiscard]] static bool settle(Waiter& waiter, std::size_t number, FlagAnswer answer);
  void ground(Landing& landing);
  void begin_era();

  void depart();
  void landed(Flight& flight, domain::LocalTime asked, absl::StatusOr<domain::FlagsSaid> said);
  void learn(domain::LocalTime asked, const absl::Status& status);
  void give_up(const std::shared_ptr<Waiter>& waiter);
  void tell(Landing& landing);
  void probe();
  void arm_probe();

  const Options options_;
  FlagService& service_;
  const clock::LocalClock& clock_;
  clock::Timers& timers_;
  FlagObserver& observer_;
  std::vector<std::unique_ptr<Shard>> shards_;

  mutable std::mutex mutex_;  // guards the rest
  Known known_;
  std::deque<domain::LocalTime> ended_;  // through when the last eras went on, newest first
  // Those that can be joined: what left before a change cannot.
  absl::flat_hash_map<FlagQuestion, std::shared_ptr<Flight>> flights_;
  std::deque<std::shared_ptr<Flight>> queue_;  // those that have not left yet
  std::size_t under_way_ = 0;
  clock::Timers::Id probe_timer_ = 0;
  bool probing_ = false;
  bool stopping_ = false;
};

}  // namespace stock::layers

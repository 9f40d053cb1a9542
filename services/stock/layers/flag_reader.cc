#include "stock/layers/flag_reader.h"

#include <algorithm>
#include <array>
#include <list>
#include <utility>

namespace stock::layers {
namespace {

constexpr std::size_t kShards = 16;
constexpr std::size_t kLeastPerShard = 64;
constexpr std::size_t kErasRemembered = 16;

// The service is out of reach, or too slow, for whatever it is asked; else it is only this question
// that it cannot answer.
bool is_down(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) ||
         absl::IsCancelled(status) || absl::IsResourceExhausted(status) ||
         absl::IsUnimplemented(status);
}

}  // namespace

// Evicts what was used least recently.
struct alignas(64) FlagReader::Shard {
  explicit Shard(std::size_t capacity_) : capacity(capacity_) {}

  using Entries = std::list<std::pair<FlagQuestion, Entry>>;  // used last first
  const std::size_t capacity;
  std::mutex mutex;
  Entries entries;
  absl::flat_hash_map<FlagQuestion, Entries::iterator> index;
};

// A caller of evaluate() who has to wait.
struct FlagReader::Waiter {
  std::vector<FlagQuestion> questions;
  std::vector<std::optional<Entry>> entries;  // what was kept when it came
  std::vector<FlagAnswer> answers;
  std::vector<std::size_t> open;  // numbers of those that are waited for
  Done done;
  clock::Timers::Id timer = 0;
};

struct FlagReader::Flight {
  FlagQuestion question;
  std::vector<std::pair<std::shared_ptr<Waiter>, std::size_t>> waiters;  // and the number there
  Era era = 0;                                                           // in which it left
  bool left = false;
};

FlagReader::FlagReader(Options options, FlagService& service, const clock::LocalClock& clock,
                       clock::Timers& timers, FlagObserver& observer)
    : options_(options), service_(service), clock_(clock), timers_(timers), observer_(observer) {
  const std::size_t shards =
      std::clamp<std::size_t>(options_.capacity / kLeastPerShard, 1, kShards);
  for (std::size_t i = 0; i < shards; ++i) {
    const std::size_t share = options_.capacity / shards + (i < options_.capacity % shards ? 1 : 0);
    shards_.push_back(std::make_unique<Shard>(share));
  }
}

FlagReader::~FlagReader() { stop(); }

void FlagReader::stop() {
  clock::Timers::Id timer = 0;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    timer = probe_timer_;
  }
  timers_.cancel(timer);
  timers_.drain();
}

void FlagReader::start() {
  service_.follow(*this);
  probe();
}

void FlagReader::evaluate(std::vector<FlagQuestion> questions, domain::LocalTime deadline,
                          Done done) {
  const auto waiter = std::make_shared<Waiter>();
  waiter->questions = std::move(questions);
  waiter->answers.resize(waiter->questions.size());
  for (const FlagQuestion& question : waiter->questions) {
    waiter->entries.push_back(find(question, true));
  }
  std::array<std::int64_t, FlagObserver::kLookups> lookups{};
  bool waits = false;
  {
    const std::lock_guard lock(mutex_);
    const bool down = known_.standing == Standing::kDown || stopping_;
    for (std::size_t i = 0; i < waiter->questions.size(); ++i) {
      const std::optional<Entry>& entry = waiter->entries[i];
      const bool fresh = entry && current(*entry);
      const auto lookup = fresh   ? FlagObserver::Lookup::kHit
                          : entry ? FlagObserver::Lookup::kOutdated
                                  : FlagObserver::Lookup::kMiss;
      ++lookups[static_cast<std::size_t>(lookup)];
      waiter->answers[i] = answer(entry, down);
      if (!fresh && !down) waiter->open.push_back(i);
    }
    board(waiter);
    waits = !waiter->open.empty();
    if (waits) {
      waiter->done = std::move(done);
      waiter->timer = timers_.at(deadline, [this, waiter] { give_up(waiter); });
    }
  }
  observer_.looked_up(lookups);
  if (!waits) {
    observer_.answered(waiter->answers);
    return done(std::move(waiter->answers));
  }
  depart();
}

std::shared_ptr<const domain::FlagsSaid> FlagReader::kept(const FlagQuestion& question) const {
  const auto entry = find(question, false);
  return entry ? entry->said : nullptr;
}

bool FlagReader::up() const {
  const std::lock_guard lock(mutex_);
  return known_.standing == Standing::kUp;
}

domain::LocalTime FlagReader::last_answer() const {
  const std::lock_guard lock(mutex_);
  return known_.answered;
}

// ---- The stream of events

void FlagReader::opened() {
  {
    const std::lock_guard lock(mutex_);
    begin_era();
  }
  probe();
}

void FlagReader::changed() {
  const std::lock_guard lock(mutex_);
  begin_era();
}

void FlagReader::closed(const absl::Status& why) {
  {
    const std::lock_guard lock(mutex_);
    if (known_.open) ended_.push_front(known_.alive);
    known_.open = false;
  }
  observer_.stream_closed(why);
}

void FlagReader::begin_era() {
  if (known_.open) ended_.push_front(known_.alive);
  if (ended_.size() > kErasRemembered) ended_.pop_back();
  ++known_.era;
  known_.open = true;
  known_.alive = clock_.now();
  absl::erase_if(flights_, [](const auto& flight) { return flight.second->left; });
}

bool FlagReader::current(const Entry& entry) const {
  return known_.open && entry.era == known_.era;
}

// An evaluation of an era held as long as the era did, as far as that is known.
domain::LocalTime FlagReader::true_through(const Entry& entry) const {
  if (entry.era == 0) return entry.asked;
  if (current(entry)) return std::max(entry.asked, known_.alive);
  const Era newest_ended = known_.open ? known_.era - 1 : known_.era;
  const Era later = newest_ended - entry.era;  // eras that have ended since
  return later < ended_.size() ? std::max(entry.asked, ended_[later]) : entry.asked;
}

FlagAnswer FlagReader::answer(const std::optional<Entry>& entry, bool unreachable) const {
  FlagAnswer answer{.unreachable = unreachable};
  if (!entry || (unreachable && options_.when_down == WhenDown::kUnflagged)) return answer;
  answer.said = entry->said;
  answer.true_through = true_through(*entry);
  return answer;
}

// ---- Asking

void FlagReader::board(const std::shared_ptr<Waiter>& waiter) {
  std::vector<std::size_t> open;
  for (const std::size_t number : waiter->open) {
    std::shared_ptr<Flight>& flight = flights_[waiter->questions[number]];
    if (!flight) {
      if (queue_.size() >= options_.max_queue) {
        flights_.erase(waiter->questions[number]);
        waiter->answers[number] = answer(waiter->entries[number], true);
        continue;
      }
      flight = std::make_shared<Flight>();
      flight->question = waiter->questions[number];
      queue_.push_back(flight);
    }
    flight->waiters.emplace_back(waiter, number);
    open.push_back(number);
  }
  waiter->open = std::move(open);
}

void FlagReader::depart() {
  while (true) {
    std::shared_ptr<Flight> flight;
    const domain::LocalTime now = clock_.now();
    {
      const std::lock_guard lock(mutex_);
      if (queue_.empty() || under_way_ >= options_.max_flights) return;
      flight = std::move(queue_.front());
      queue_.pop_front();
      flight->left = true;
      flight->era = known_.open ? known_.era : 0;
      ++under_way_;
    }
    const FlagQuestion& question = flight->question;
    service_.resolve(question, now + options_.timeout,
                     [this, flight, now](absl::StatusOr<domain::FlagsSaid> said) {
                       landed(*flight, now, std::move(said));
                     });
  }
}

void FlagReader::landed(Flight& flight, domain::LocalTime asked,
                        absl::StatusOr<domain::FlagsSaid> said) {
  learn(asked, said.status());
  std::optional<Entry> entry;
  if (said.ok()) {
    entry = Entry{.said = std::make_shared<const domain::FlagsSaid>(*std::move(said)),
                  .asked = asked,
                  .era = flight.era};
    keep(flight.question, *entry);
  }
  Landing landing;
  {
    const std::lock_guard lock(mutex_);
    --under_way_;
    const auto it = flights_.find(flight.question);
    if (it != flights_.end() && it->second.get() == &flight) flights_.erase(it);
    for (auto& [waiter, number] : flight.waiters) {
      const std::optional<Entry>& best = entry ? entry : waiter->entries[number];
      if (settle(*waiter, number, answer(best, !entry))) landing.push_back(std::move(waiter));
    }
    if (known_.standing == Standing::kDown || stopping_) ground(landing);
  }
  tell(landing);
  depart();
}

// Whether that was the last that the waiter waited for: then it is to be told.
bool FlagReader::settle(Waiter& waiter, std::size_t number, FlagAnswer answer) {
  if (std::erase(waiter.open, number) == 0) return false;
  waiter.answers[number] = std::move(answer);
  return waiter.open.empty();
}

// Nobody but the probe asks: what has not left is answered by what was said last.
void FlagReader::ground(Landing& landing) {
  for (const std::shared_ptr<Flight>& flight : std::exchange(queue_, {})) {
    flights_.erase(flight->question);
    for (auto& [waiter, number] : flight->waiters) {
      FlagAnswer best = answer(waiter->entries[number], true);
      if (settle(*waiter, number, std::move(best))) landing.push_back(std::move(waiter));
    }
  }
}

// Its flights go on, for those who come later.
void FlagReader::give_up(const std::shared_ptr<Waiter>& waiter) {
  Landing landing;
  {
    const std::lock_guard lock(mutex_);
    if (waiter->open.empty()) return;
    for (const std::size_t number : std::exchange(waiter->open, {})) {
      waiter->answers[number] = answer(waiter->entries[number], true);
    }
    landing.push_back(waiter);
  }
  tell(landing);
}

void FlagReader::tell(Landing& landing) {
  for (const std::shared_ptr<Waiter>& waiter : landing) {
    timers_.cancel(waiter->timer);
    observer_.answered(waiter->answers);
    waiter->done(std::move(waiter->answers));
  }
}

// ---- What is known of the service

void FlagReader::learn(domain::LocalTime asked, const absl::Status& status) {
  bool down = false;
  bool recovered = false;
  {
    const std::lock_guard lock(mutex_);
    if (status.ok()) {
      recovered = std::exchange(known_.standing, Standing::kUp) == Standing::kDown;
      known_.answered = std::max(known_.answered, asked);
      if (known_.open) known_.alive = std::max(known_.alive, asked);
    } else if (is_down(status) && asked >= known_.answered) {
      down = std::exchange(known_.standing, Standing::kDown) != Standing::kDown;
    }
  }
  if (!status.ok()) observer_.failed(status, down);
  if (recovered) observer_.recovered();
}

void FlagReader::probe() {
  const domain::LocalTime now = clock_.now();
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || probing_) return;
    probing_ = true;
  }
  service_.resolve({}, now + options_.timeout,
                   [this, now](const absl::StatusOr<domain::FlagsSaid>& said) {
                     learn(now, said.status());
                     Landing landing;
                     {
                       const std::lock_guard lock(mutex_);
                       probing_ = false;
                       if (known_.standing == Standing::kDown) ground(landing);
                     }
                     tell(landing);
                     arm_probe();
                   });
}

void FlagReader::arm_probe() {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  timers_.cancel(probe_timer_);
  probe_timer_ = timers_.at(clock_.now() + options_.probe_interval, [this] { probe(); });
}

// ---- What is kept

FlagReader::Shard& FlagReader::shard_of(const FlagQuestion& question) const {
  return *shards_[absl::HashOf(question) % shards_.size()];
}

std::optional<FlagReader::Entry> FlagReader::find(const FlagQuestion& question, bool visit) const {
  Shard& shard = shard_of(question);
  const std::lock_guard lock(shard.mutex);
  const auto it = shard.index.find(question);
  if (it == shard.index.end()) return std::nullopt;
  if (visit) shard.entries.splice(shard.entries.begin(), shard.entries, it->second);
  return it->second->second;
}

void FlagReader::keep(const FlagQuestion& question, Entry entry) {
  Shard& shard = shard_of(question);
  const std::lock_guard lock(shard.mutex);
  const auto it = shard.index.find(question);
  if (it != shard.index.end()) {
    if (it->second->second.asked <= entry.asked) it->second->second = std::move(entry);
    return;
  }
  if (shard.entries.size() >= shard.capacity) {
    shard.index.erase(shard.entries.back().first);
    shard.entries.pop_back();
  }
  shard.entries.emplace_front(question, std::move(entry));
  shard.index.emplace(question, shard.entries.begin());
}

}  // namespace stock::layers

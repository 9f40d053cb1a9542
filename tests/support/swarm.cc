#include "support/swarm.h"

#include <condition_variable>
#include <iterator>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "support/eventually.h"
#include "support/history_record.h"
#include "support/intruder.h"
#include "support/sql.h"
#include "support/swarm_client.h"

namespace stock::support {
namespace {

using std::chrono::milliseconds;

// A client that was refused does not ask again at once.
constexpr milliseconds kRefusedPause(10);
constexpr milliseconds kClockPause(10);
// The intruder acts once in so many answers of the clients.
constexpr std::uint64_t kIntruderPace = 40;

}  // namespace

struct Swarm::Shared {
  explicit Shared(Options given) : options(std::move(given)) {}

  // Sleeps; false when all is to end.
  bool pause(milliseconds time) {
    std::unique_lock lock(mutex);
    return !changed.wait_for(lock, time, [this] { return stopping; });
  }
  bool pause_for_answers(std::uint64_t more) {
    const std::uint64_t until = answered + more;
    while (answered < until) {
      if (!pause(milliseconds(2))) return false;
    }
    return true;
  }
  bool going() {
    const std::lock_guard lock(mutex);
    return !stopping;
  }

  void run_client(SwarmClient& client) {
    while (going()) {
      const bool ok = client.act();
      ++(ok ? answered : failed);
      if (!ok && !pause(kRefusedPause)) return;
    }
  }
  void run_intruder() {
    Intruder intruder(options, [this] { return pause_for_answers(kIntruderPace); });
    while (pause_for_answers(kIntruderPace)) intruder.act();
    sightings = std::move(intruder.sightings);
  }
  void run_clock() {
    std::optional<Sql> sql;
    do {
      try {
        if (!sql) sql.emplace(options.primary_url());
        ClockSample sample{.sent = boot_time()};
        const std::int64_t now =
            sql->number("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint");
        sample.received = boot_time();
        sample.stamp = domain::DatabaseTime(std::chrono::microseconds(now));
        clock.push_back(sample);
      } catch (const SqlError&) {
        sql.reset();
      }
    } while (pause(kClockPause));
  }

  const Options options;
  std::atomic<std::uint64_t> answered{0};
  std::atomic<std::uint64_t> failed{0};
  TokenBoard board;
  std::vector<std::unique_ptr<SwarmClient>> clients;

  // Each of one thread, until that has ended.
  std::vector<Sighting> sightings;
  std::vector<ClockSample> clock;

  std::mutex mutex;
  std::condition_variable changed;
  bool stopping = false;
  std::vector<std::thread> threads;
};

Swarm::Swarm(Options options) : shared_(std::make_unique<Shared>(std::move(options))) {
  for (int i = 0; i < shared_->options.clients; ++i) {
    shared_->clients.push_back(std::make_unique<SwarmClient>(shared_->options, i, shared_->board));
  }
  for (const auto& client : shared_->clients) {
    shared_->threads.emplace_back([this, &client = *client] { shared_->run_client(client); });
  }
  if (shared_->options.primary_url) {
    shared_->threads.emplace_back([this] { shared_->run_clock(); });
    shared_->threads.emplace_back([this] { shared_->run_intruder(); });
  }
}

Swarm::~Swarm() { stop(); }

std::uint64_t Swarm::answered() const { return shared_->answered; }
std::uint64_t Swarm::failed() const { return shared_->failed; }

::testing::AssertionResult Swarm::await_answers(std::uint64_t more) {
  return eventually([this] { return answered(); }, ::testing::Ge(answered() + more));
}

::testing::AssertionResult Swarm::await_calls(std::uint64_t more) {
  const auto ended = [this] { return answered() + failed(); };
  return eventually(ended, ::testing::Ge(ended() + more));
}

History Swarm::stop() {
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->stopping = true;
  }
  shared_->changed.notify_all();
  for (std::thread& thread : shared_->threads) thread.join();
  shared_->threads.clear();

  History history;
  for (const auto& client : shared_->clients) {
    std::ranges::move(client->reads, std::back_inserter(history.reads));
    std::ranges::move(client->writes, std::back_inserter(history.writes));
    client->reads.clear();
    client->writes.clear();
  }
  history.sightings = std::exchange(shared_->sightings, {});
  history.clock = std::exchange(shared_->clock, {});
  return history;
}

}  // namespace stock::support

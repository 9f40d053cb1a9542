#include "support/swarm.h"

#include <algorithm>
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
#include "support/stock_client.h"
#include "support/swarm_client.h"
#include "support/swarm_watcher.h"

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

  // Reading and writing ends first, watching later, and looking at the clock last.
  enum class Stage : std::uint8_t { kGoing, kQuiet, kEnded };

  // Sleeps; false when it is to end.
  bool pause(milliseconds time, Stage end = Stage::kQuiet) {
    std::unique_lock lock(mutex);
    return !changed.wait_for(lock, time, [&] { return stage >= end; });
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
    return stage == Stage::kGoing;
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
    } while (pause(kClockPause, Stage::kEnded));
  }

  void go_on_to(Stage next) {
    const std::lock_guard lock(mutex);
    stage = std::max(stage, next);
    changed.notify_all();
  }
  static void join(std::vector<std::thread>& threads) {
    for (std::thread& thread : threads) thread.join();
    threads.clear();
  }
  void stop_clients() {
    go_on_to(Stage::kQuiet);
    join(writing);
  }
  void stop_all() {
    stop_clients();
    for (const auto& watcher : watchers) watcher->cancel();
    go_on_to(Stage::kEnded);
    join(watching);
  }
  // What a client had given up may still be waiting: what is written after it is behind it. Then an
  // instant at which nobody writes.
  std::optional<domain::DatabaseTime> await_quiet() {
    for (const std::string& address : options.addresses) {
      StockClient client(address);
      client.set_deadline(std::chrono::seconds(5));
      EXPECT_TRUE(eventually([&] { return client.adjust("quiet", options.locations[0], 1).ok(); }));
    }
    std::int64_t now = 0;
    EXPECT_TRUE(eventually(
        [&] {
          now = Sql(options.primary_url())
                    .number(
                        "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
                        " FROM pg_stat_activity HAVING count(backend_xid) = 0");
          return now;
        },
        ::testing::Gt(0)));
    if (now == 0) return std::nullopt;
    return domain::DatabaseTime(std::chrono::microseconds(now));
  }
  void await_watchers(domain::DatabaseTime through) {
    for (const auto& watcher : watchers) watcher->finish(through);
    const auto all = [this] {
      return std::ranges::all_of(watchers, [](const auto& w) { return w->is_finished(); });
    };
    // One may have begun anew, with all of the ledger before it.
    EXPECT_TRUE(eventually(all, ::testing::IsTrue(), 5 * kGenerous))
        << "a watcher was not told everything";
  }
  const Options options;
  std::atomic<std::uint64_t> answered{0};
  std::atomic<std::uint64_t> failed{0};
  TokenBoard board;
  std::vector<std::unique_ptr<SwarmClient>> clients;
  std::vector<std::unique_ptr<SwarmWatcher>> watchers;

  // Each of one thread, until that has ended.
  std::vector<Sighting> sightings;
  std::vector<ClockSample> clock;

  std::mutex mutex;
  std::condition_variable changed;
  Stage stage = Stage::kGoing;
  std::vector<std::thread> writing;   // and reading
  std::vector<std::thread> watching;  // streams, and the clock
};

Swarm::Swarm(Options options) : shared_(std::make_unique<Shared>(std::move(options))) {
  for (int i = 0; i < shared_->options.clients; ++i) {
    shared_->clients.push_back(std::make_unique<SwarmClient>(shared_->options, i, shared_->board));
  }
  for (const auto& client : shared_->clients) {
    shared_->writing.emplace_back([this, &client = *client] { shared_->run_client(client); });
  }
  shared_->writing.emplace_back([this] { shared_->run_intruder(); });
  shared_->watching.emplace_back([this] { shared_->run_clock(); });
  for (int i = 0; i < shared_->options.watchers; ++i) {
    shared_->watchers.push_back(SwarmWatcher::make(shared_->options, i));
    shared_->watching.emplace_back([&watcher = *shared_->watchers.back()] { watcher.run(); });
  }
}

Swarm::~Swarm() { shared_->stop_all(); }

std::uint64_t Swarm::answered() const { return shared_->answered; }
std::uint64_t Swarm::failed() const { return shared_->failed; }

// Fails when nothing ends any more, and however slowly it goes on otherwise.
template <typename Count>
::testing::AssertionResult Swarm::await_more(Count count, std::uint64_t more) {
  for (std::uint64_t seen = count(), enough = seen + more; seen < enough; seen = count()) {
    const auto moved = eventually(count, ::testing::Gt(seen));
    if (!moved) {
      return ::testing::AssertionFailure()
             << moved.message() << "; " << answered() << " answers, " << failed() << " failures, "
             << enough - seen << " are missing";
    }
  }
  return ::testing::AssertionSuccess();
}

::testing::AssertionResult Swarm::await_answers(std::uint64_t more) {
  return await_more([this] { return answered(); }, more);
}

::testing::AssertionResult Swarm::await_calls(std::uint64_t more) {
  return await_more([this] { return answered() + failed(); }, more);
}

History Swarm::stop() {
  shared_->stop_clients();
  History history;
  history.quiet_since = shared_->await_quiet();
  if (history.quiet_since) shared_->await_watchers(*history.quiet_since);
  shared_->stop_all();

  for (const auto& client : shared_->clients) {
    std::ranges::move(client->reads, std::back_inserter(history.reads));
    std::ranges::move(client->writes, std::back_inserter(history.writes));
    client->reads.clear();
    client->writes.clear();
  }
  for (const auto& watcher : shared_->watchers) watcher->add_to(history);
  history.sightings = std::exchange(shared_->sightings, {});
  history.clock = std::exchange(shared_->clock, {});
  return history;
}

}  // namespace stock::support

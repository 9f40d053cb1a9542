#include "stock/postgres/heart.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

#include "stock/postgres/connection.h"
#include "stock/postgres/sql.h"

namespace stock::postgres {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// The advisory lock of whoever leads: "stockwit".
constexpr std::int64_t kLeadLock = 0x73746f636b776974;
constexpr seconds kHeartbeatsKept = std::chrono::minutes(15);
constexpr seconds kPruneInterval(10);

SessionOptions for_leading(const Heart::Options& options) {
  SessionOptions session = options.session;
  const milliseconds idle =
      std::max({milliseconds(600), 2 * options.pulse_interval, 4 * options.heartbeat_interval});
  // Who hangs does not lead, whether inside a transaction or outside.
  session.idle_limit = idle;
  session.settings.emplace_back("idle_session_timeout", fmt::format("{}ms", idle.count()));
  // A heartbeat does not wait for standbys: it is what they are measured by.
  session.settings.emplace_back("synchronous_commit", "local");
  // However the statistics are, what is new is a range of an index.
  session.settings.emplace_back("enable_seqscan", "off");
  return session;
}

// 63 bits, because the database has no unsigned numbers; never 0.
std::int64_t random_incarnation() {
  std::random_device device;
  return std::uniform_int_distribution<std::int64_t>(1)(device);
}

}  // namespace

Heart::Heart(Options options, Knowledge knowledge, clock::Timers& timers)
    : options_(std::move(options)),
      knowledge_(knowledge),
      asker_(Role::kPrimary, knowledge),
      session_(for_leading(options_), knowledge.local, timers),
      thread_([this] { run(); }) {}

Heart::~Heart() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  session_.stop();
  thread_.join();
}

Heart::State Heart::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

void Heart::run() {
  domain::LocalTime pulse_at{};
  domain::LocalTime beat_at{};
  do {
    const domain::LocalTime now = knowledge_.local.now();
    const bool pulse_is_due = now >= pulse_at;
    absl::Status status;
    if (pulse_is_due && !leads()) status.Update(seek_lead());
    if (leads() && now >= beat_at) {
      beat_at = now + options_.heartbeat_interval;
      status.Update(beat());
    }
    if (pulse_is_due) {
      pulse_at = now + options_.pulse_interval;
      if (options_.pulse) status.Update(pulse());
    }
    report(status);
  } while (sleep_until(leads() ? std::min(pulse_at, beat_at) : pulse_at));
}

// False when there is nothing more to wake up for.
bool Heart::sleep_until(domain::LocalTime when) {
  std::unique_lock lock(mutex_);
  return !stop_.wait_for(lock, when - knowledge_.local.now(), [this] { return stopping_; });
}

bool Heart::leads() const { return session_.connected() && session_.connections() == leads_on_; }

absl::Status Heart::seek_lead() {
  return session_.run([&](Connection& connection) {
    pqxx::nontransaction transaction(connection.pq());
    const pqxx::result result =
        connection.exec(transaction, sql::try_lead(), {std::to_string(kLeadLock)});
    if (flag(result[0][0])) leads_on_ = session_.connections();
    return absl::OkStatus();
  });
}

absl::Status Heart::pulse() {
  return asker_.ask(session_, sql::pulse(), {}, [](const Dating&, const pqxx::result&) {});
}

absl::Status Heart::beat() {
  return session_.use([this](Connection& connection) {
    const domain::Incarnation clock_set_in = knowledge_.identity.clock_set_in();
    const bool may_go_on = clock_set_in == 0 || clock_set_in != knowledge_.identity.current();
    const bool beaten = may_go_on && [&] {
      pqxx::nontransaction transaction(connection.pq());
      return write_heartbeat(connection, transaction);
    }();
    if (!beaten && !begin_incarnation(connection)) {
      connection.reject();
      return absl::UnavailableError("the ledger was loaded from a dump, and is not adopted");
    }
    if (const domain::LocalTime now = knowledge_.local.now(); now >= prune_at_) {
      prune_at_ = now + kPruneInterval;
      prune(connection);
    }
    return absl::OkStatus();
  });
}

// False while there is no incarnation that can go on.
bool Heart::write_heartbeat(Connection& connection, pqxx::transaction_base& transaction) {
  const pqxx::result result = connection.exec(transaction, sql::beat());
  if (result.empty()) return false;
  heartbeat_ = number(result[0][0]);
  return true;
}

// Also where the database's clock was set: dates from before mean something else now. Together
// with its first heartbeat: what is written in it is written after that, so that no standby shows
// the one without the other. False: a ledger that was loaded from a dump has none.
bool Heart::begin_incarnation(Connection& connection) {
  pqxx::work transaction(connection.pq());
  const bool ended = connection
                         .exec(transaction, sql::end_incarnation(),
                               {std::to_string(knowledge_.identity.clock_set_in())})
                         .affected_rows() > 0;
  const auto begun = connection.exec(transaction, sql::begin_incarnation(),
                                     {std::to_string(random_incarnation())});
  const bool beaten = write_heartbeat(connection, transaction);
  transaction.commit();
  if (begun.affected_rows() > 0) ++(ended ? begun_by_clock_ : begun_anew_);
  return beaten;
}

void Heart::prune(Connection& connection) {
  pqxx::nontransaction transaction(connection.pq());
  connection.exec(transaction, sql::prune_heartbeats(), {std::to_string(kHeartbeatsKept.count())});
}

void Heart::report(const absl::Status& status) {
  State now{.leads = leads(),
            .primary_reachable = session_.connected(),
            .error = std::string(status.message()),
            .heartbeat = heartbeat_,
            .begun_anew = begun_anew_,
            .begun_by_clock = begun_by_clock_};
  bool changed = false;
  {
    const std::lock_guard lock(mutex_);
    changed = now.leads != state_.leads || now.primary_reachable != state_.primary_reachable;
    state_ = now;
  }
  if (changed && options_.on_change) options_.on_change(now);
}

}  // namespace stock::postgres

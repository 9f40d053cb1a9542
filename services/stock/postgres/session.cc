#include "stock/postgres/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>

#include "stock/postgres/connection.h"
#include "stock/postgres/dsn.h"
#include "stock/postgres/failure.h"
#include "stock/postgres/plug.h"

namespace stock::postgres {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstBackoff(100);
constexpr milliseconds kLongestBackoff(2000);

std::string dsn(const SessionOptions& options) {
  return dsn_with_defaults(options.url,
                           {{"application_name", options.application_name},
                            {"client_encoding", "UTF8"},
                            {"connect_timeout", "2"},
                            {"keepalives_idle", "5"},
                            {"keepalives_interval", "2"},
                            {"keepalives_count", "3"},
                            {"tcp_user_timeout", std::to_string(options.hang_limit.count())}});
}

// libpq quotes what it cannot parse, which may hold a password.
std::string without(std::string text, const std::string& secret) {
  const std::size_t at = text.find(secret);
  if (at != text.npos) text.replace(at, secret.size(), "(the connection's URL)");
  return text;
}

// Statements here are few and the same for every value, so that plans are made once per session.
absl::Status configure(Connection& connection, const SessionOptions& options) {
  std::vector<std::pair<std::string, std::string>> settings = {
      {"statement_timeout", fmt::format("{}ms", options.statement_timeout.count())},
      // What a process has locked is free again soon after it stood still.
      {"idle_in_transaction_session_timeout", fmt::format("{}ms", options.idle_limit.count())},
      {"plan_cache_mode", "force_generic_plan"},
      {"jit", "off"}};
  settings.insert(settings.end(), options.settings.begin(), options.settings.end());

  pqxx::nontransaction transaction(connection.pq());
  std::string query;
  for (const auto& [name, value] : settings) {
    query += fmt::format("{}set_config({}, {}, false)", query.empty() ? "SELECT " : ", ",
                         transaction.quote(name), transaction.quote(value));
  }
  transaction.exec(query);
  return absl::OkStatus();
}

}  // namespace

Session::Session(SessionOptions options, const clock::LocalClock& clock, clock::Timers& timers)
    : options_(std::move(options)),
      dsn_(dsn(options_)),
      clock_(clock),
      timers_(timers),
      plug_(std::make_shared<Plug>()) {}

Session::~Session() { close(); }

absl::Status Session::run(Work work) {
  if (absl::Status status = connect(); !status.ok()) return status;
  return use(work);
}

absl::Status Session::connect() {
  if (plug_->stopped()) return absl::UnavailableError("this program is stopping");
  if (connected() && !plug_->is_dead()) return absl::OkStatus();
  close();
  const bool found_back = unreachable_at_ && options_.contact->after(*unreachable_at_);
  if (clock_.now() < retry_at_ && !found_back) return last_error_;
  absl::Status status = open();
  if (!status.ok()) {
    close();
    postpone(status);
    unreachable_at_ = clock_.now();
    return status;
  }
  options_.contact->made(clock_.now());
  unreachable_at_.reset();
  ++connections_;
  connected_.store(true, std::memory_order_relaxed);
  return status;
}

absl::Status Session::open() {
  try {
    connection_ = std::make_unique<Connection>(dsn_, clock_.now());
  } catch (...) {
    const absl::Status status = current_failure().status;
    return absl::UnavailableError(without(std::string(status.message()), dsn_));
  }
  plug_->attach(connection_->pq().sock());
  absl::Status status =
      guarded([&](Connection& connection) { return configure(connection, options_); }).status;
  if (!status.ok()) return absl::UnavailableError(status.message());
  if (options_.accept) status = guarded(options_.accept).status;
  const bool told = status.ok() || absl::IsFailedPrecondition(status);
  return told ? status : absl::UnavailableError(status.message());
}

absl::Status Session::use(Work work) {
  if (!connected()) return absl::UnavailableError("the connection is lost");
  Failure failure = guarded(work);
  const bool open = connection_->open();
  if (open && !failure.session_is_unfit) {
    backoff_ = milliseconds(0);
    return std::move(failure.status);
  }
  // Not closed before the next connect(): a transaction may still refer to the connection.
  connected_.store(false, std::memory_order_relaxed);
  if (open) {
    postpone(failure.status);  // it answers, but is of no use: as bad as no answer
    plug_->cut();              // and a transaction of it has nothing to say at its end
  }
  return std::move(failure.status);
}

Failure Session::guarded(Work work) {
  const std::uint64_t use = plug_->begin_use();
  const clock::Timers::Id timer =
      timers_.at(clock_.now() + options_.hang_limit, [plug = plug_, use] { plug->cut(use); });
  Failure failure;
  try {
    failure.status = work(*connection_);
    failure.session_is_unfit = connection_->rejected();
  } catch (...) {
    failure = current_failure();
  }
  timers_.cancel(timer);
  const bool was_cut = plug_->end_use();
  if (was_cut && !failure.status.ok()) {
    failure.status = absl::DeadlineExceededError(
        fmt::format("no answer within {} ms", options_.hang_limit.count()));
  }
  return failure;
}

void Session::postpone(absl::Status error) {
  last_error_ = std::move(error);
  backoff_ = std::clamp(2 * backoff_, kFirstBackoff, kLongestBackoff);
  retry_at_ = clock_.now() + backoff_;
}

void Session::close() {
  connected_.store(false, std::memory_order_relaxed);
  connection_.reset();
  plug_->detach();
}

void Session::stop() { plug_->stop(); }

}  // namespace stock::postgres

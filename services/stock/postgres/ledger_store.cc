#include "stock/postgres/ledger_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "stock/postgres/array_literal.h"
#include "stock/postgres/connection.h"
#include "stock/postgres/plan_parameters.h"
#include "stock/postgres/rows.h"
#include "stock/postgres/sql.h"

namespace stock::postgres {
namespace {

using ledger::Reservations;

// Whoever keeps a lock for longer than this does not merely write.
constexpr std::chrono::milliseconds kLockPatience(2000);

// Holds that one transaction ends. What is left is found by the next one.
constexpr std::int64_t kDueLimit = 1000;

// `hex` comes from the database, where the column takes any length; what is no digest of ours
// equals none.
ledger::Digest parse_digest(std::string_view hex) {
  ledger::Digest digest{};
  if (hex.size() != 2 * digest.size()) return digest;
  for (std::size_t i = 0; i < digest.size(); ++i) {
    std::from_chars(hex.data() + 2 * i, hex.data() + 2 * i + 2, digest[i], 16);
  }
  return digest;
}

// To what the port promises. A database too slow to answer is as good as gone.
absl::Status as_promised(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kInvalidArgument:
      return status;
    case absl::StatusCode::kDeadlineExceeded:
      return absl::UnavailableError(status.message());
    default:
      return absl::InternalError(status.message());
  }
}

std::string array_of(std::span<const domain::Uuid> ids) {
  ArrayLiteral array;
  for (const domain::Uuid& id : ids) array.add(domain::format_uuid(id));
  return array.take();
}

class PostgresTransaction final : public ledger::Transaction {
 public:
  PostgresTransaction(Session& session, feed::LedgerIdentity& identity, bool& open)
      : session_(session), identity_(identity), open_(open) {
    open_ = true;
  }

  // Rolls back where there is somebody to be told; a lost session has done so by itself.
  ~PostgresTransaction() override {
    if (begun_ && !over_ && session_.connected()) {
      session_
          .use([this](Connection&) {
            block_->exec("ROLLBACK");
            return absl::OkStatus();
          })
          .IgnoreError();
    }
    block_.reset();
    open_ = false;
  }

  // Says nothing yet: BEGIN goes with the first statement.
  absl::Status begin() {
    return use([this](Connection& connection) {
      block_.emplace(connection.pq());
      return absl::OkStatus();
    });
  }

  absl::StatusOr<ledger::Opened> open(std::span<const domain::Key> keys,
                                      std::span<const domain::Uuid> ids) override;
  absl::StatusOr<Reservations> reservations(std::span<const domain::Uuid> ids) override;
  absl::StatusOr<ledger::DueHolds> due(std::span<const domain::Key> keys,
                                       domain::DatabaseTime now) override;
  absl::StatusOr<ledger::Committed> commit(const ledger::Plan& plan) override;

 private:
  using Steps = std::vector<Step>;

  absl::Status use(Session::Work work) { return as_promised(session_.use(work)); }
  // In one round trip, with BEGIN where nothing was said yet.
  pqxx::result exec(Connection& connection, Steps steps) {
    if (!begun_) steps.insert(steps.begin(), "BEGIN");
    begun_ = true;
    return connection.exec(*block_, steps);
  }
  absl::Status read_facts(Connection& connection, const pqxx::row& row, ledger::Opened& opened);
  static Steps steps_of(const ledger::Plan& plan);
  [[nodiscard]] Step question() const;
  absl::Status learn(const pqxx::result& result);

  Session& session_;
  feed::LedgerIdentity& identity_;
  bool& open_;
  // Not one of libpqxx's transactions, which wait for the answers of BEGIN and COMMIT.
  std::optional<pqxx::nontransaction> block_;
  bool begun_ = false;
  bool over_ = false;                // committed or rolled back, and the server has said so
  domain::Transaction transaction_;  // once opened
  std::optional<domain::DatabaseTime> committed_at_;
};

absl::Status PostgresTransaction::read_facts(Connection& connection, const pqxx::row& row,
                                             ledger::Opened& opened) {
  transaction_ = {.incarnation = static_cast<domain::Incarnation>(number(row[3])),
                  .xid = static_cast<domain::Xid>(number(row[2]))};
  identity_.ledger_is(static_cast<std::uint64_t>(number(row[4])));
  opened.now = time(row[9]);
  // What is written without one would be dated by the heartbeats of the history before; and the
  // ledger may have been loaded from a dump meanwhile.
  if (transaction_.incarnation == 0) {
    connection.reject();
    return absl::UnavailableError("the ledger's incarnation has not begun yet");
  }
  // What is written there is lost to everybody who has followed the ledger elsewhere.
  if (identity_.is_former(transaction_.incarnation, connection.begun_at())) {
    connection.reject();
    return absl::UnavailableError("the database called primary is one of before");
  }
  return absl::OkStatus();
}

void read_level(const pqxx::row& row, sql::Book book, ledger::LockedLevel& level) {
  level.exists = book == sql::Book::kLevel;
  level.version = number(row[2]);
  level.location_exists = flag(row[8]);
  if (!level.exists) return;
  level.counts = counts(row, 3);
  if (!row[9].is_null()) level.earliest_expiry = time(row[9]);
}

absl::Status read_request(const pqxx::row& row, domain::Incarnation incarnation,
                          ledger::RememberedRequests& requests) {
  const auto id = domain::parse_uuid(text(row[0]));
  if (!id) return absl::InternalError("the database gave a request id that is none");
  ledger::Remembered& request = requests[*id];
  request.digest = parse_digest(text(row[1]));
  request.transaction = {.incarnation = incarnation,
                         .xid = static_cast<domain::Xid>(number(row[10]))};
  request.made_reservation = flag(row[11]);
  if (row[2].is_null()) return absl::OkStatus();  // it moved nothing
  request.levels.push_back(
      {.key = key(row, 2), .counts = counts(row, 5), .version = number(row[4])});
  return absl::OkStatus();
}

absl::StatusOr<ledger::Opened> PostgresTransaction::open(std::span<const domain::Key> keys,
                                                         std::span<const domain::Uuid> ids) {
  ledger::Opened opened;
  opened.levels.reserve(keys.size());
  const std::vector<std::string> which = columns(keys);
  const std::string asked = array_of(ids);
  const absl::Status status = use([&](Connection& connection) {
    bool any_applied = false;
    for (const pqxx::row& row :
         exec(connection,
              {{sql::lock_levels(), which}, {sql::open_books(), {which[0], which[1], asked}}})) {
      const auto book = static_cast<sql::Book>(number(row[0]));
      if (book == sql::Book::kUnlocked) return absl::AbortedError("a level was created meanwhile");
      if (book != sql::Book::kFacts) {
        read_level(row, book, opened.levels[keys[static_cast<std::size_t>(number(row[1]) - 1)]]);
        continue;
      }
      if (absl::Status read = read_facts(connection, row, opened); !read.ok()) return read;
      any_applied = flag(row[8]);
    }
    if (!any_applied) return absl::OkStatus();
    for (const pqxx::row& row : exec(connection, {{sql::applied_before(), {asked}}})) {
      absl::Status read = read_request(row, transaction_.incarnation, opened.requests);
      if (!read.ok()) return read;
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return opened;
}

absl::StatusOr<Reservations> PostgresTransaction::reservations(std::span<const domain::Uuid> ids) {
  Reservations found;
  const absl::Status status = use([&](Connection& connection) {
    for (domain::Reservation& reservation :
         read_reservations(exec(connection, {{sql::reservations(), {array_of(ids)}}}))) {
      found[reservation.id] = std::move(reservation);
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return found;
}

absl::StatusOr<ledger::DueHolds> PostgresTransaction::due(std::span<const domain::Key> keys,
                                                          domain::DatabaseTime now) {
  ledger::DueHolds due;
  const std::string instant = std::to_string(now.time_since_epoch().count());
  const absl::Status status = use([&](Connection& connection) {
    std::vector<std::string> parameters = columns(keys);
    parameters.insert(parameters.end(), {instant, std::to_string(kDueLimit)});
    due.reservations = read_reservations(exec(connection, {{sql::due_holds(), parameters}}));
    due.truncated = static_cast<std::int64_t>(due.reservations.size()) == kDueLimit;
    for (const pqxx::row& row : exec(connection, {{sql::next_expiry(), {instant}}})) {
      due.next = time(row[0]);
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return due;
}

PostgresTransaction::Steps PostgresTransaction::steps_of(const ledger::Plan& plan) {
  Steps steps;
  const auto add = [&](std::optional<Step> step) {
    if (step) steps.push_back(*std::move(step));
  };
  add(move_step(plan));
  add(remember_step(plan));
  add(create_step(plan));
  add(update_step(plan));
  if (!plan.lapsed.empty()) {
    const std::vector<std::string> lapsed = lapsed_columns(plan.lapsed);
    steps.emplace_back(sql::lock_reservations(), std::vector{lapsed.front()});
    steps.emplace_back(sql::expire_lines(), lapsed);
  }
  return steps;
}

Step PostgresTransaction::question() const {
  return {sql::committed_at(), {std::to_string(transaction_.xid)}};
}

// What the question says, when it can only be over.
absl::Status PostgresTransaction::learn(const pqxx::result& result) {
  over_ = true;
  if (!flag(result[0][0])) return absl::AbortedError("COMMIT has rolled back");
  if (!result[0][1].is_null()) committed_at_ = time(result[0][1]);
  return absl::OkStatus();
}

// The question goes in the message that commits, for no answer of its own. After an error the
// server runs nothing more of a message; the error may be that of anything that was sent, also
// before or after COMMIT, and only an answer tells what became of it: so it is asked for again.
absl::StatusOr<ledger::Committed> PostgresTransaction::commit(const ledger::Plan& plan) {
  Steps steps = steps_of(plan);
  steps.emplace_back("COMMIT");
  steps.push_back(question());
  absl::Status status = session_.use(
      [&](Connection& connection) { return learn(exec(connection, std::move(steps))); });
  if (!status.ok() && !over_ && session_.connected()) {
    const absl::Status asked = session_.use([this](Connection& connection) {
      block_->exec("ROLLBACK");  // alone: in a failed transaction the question cannot be prepared
      return learn(connection.exec(*block_, {question()}));
    });
    if (asked.ok()) status = asked;
  }
  if (status.ok()) return ledger::Committed{.transaction = transaction_, .at = committed_at_};
  if (!over_) return absl::UnavailableError(status.message());
  // It is rolled back, and that is known: it may be tried again at once.
  const absl::Status known = as_promised(status);
  return absl::IsUnavailable(known) ? absl::AbortedError(known.message()) : known;
}

}  // namespace

SessionOptions LedgerStore::for_writing(SessionOptions options) {
  // Sooner than the statement's own limit, which does not say what was waited for.
  const auto patience = std::min(kLockPatience, options.statement_timeout / 2);
  options.settings.emplace_back("lock_timeout", fmt::format("{}ms", patience.count()));
  // However the statistics are, what is written is named by keys and ids.
  options.settings.emplace_back("enable_seqscan", "off");
  return options;
}

absl::StatusOr<std::unique_ptr<ledger::Transaction>> LedgerStore::begin() {
  if (open_) return absl::InternalError("a transaction of this store is open");
  if (absl::Status status = session_.connect(); !status.ok()) return status;
  auto transaction = std::make_unique<PostgresTransaction>(session_, identity_, open_);
  if (absl::Status status = transaction->begin(); !status.ok()) return status;
  return transaction;
}

absl::StatusOr<ledger::Holders> LedgerStore::holders(std::span<const domain::Key> keys) {
  if (open_) return absl::InternalError("a transaction of this store is open");
  ledger::Holders holders;
  const absl::Status status = session_.run([&](Connection& connection) {
    pqxx::nontransaction transaction(connection.pq());
    for (const pqxx::row& row : connection.exec(transaction, sql::level_holders(), columns(keys))) {
      holders.emplace(keys[static_cast<std::size_t>(number(row[0]) - 1)],
                      static_cast<ledger::Holder>(number(row[1])));
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return as_promised(status);
  return holders;
}

}  // namespace stock::postgres

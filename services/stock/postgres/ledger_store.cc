#include "stock/postgres/ledger_store.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "stock/postgres/array_literal.h"
#include "stock/postgres/connection.h"
#include "stock/postgres/persist_parameters.h"
#include "stock/postgres/rows.h"
#include "stock/postgres/sql.h"

namespace stock::postgres {
namespace {

using ledger::LockedLevels;
using ledger::PlannedMovement;
using ledger::RememberedRequests;

std::size_t index(const pqxx::row& row) { return static_cast<std::size_t>(number(row[0]) - 1); }

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
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kInvalidArgument:
      return status;
    case absl::StatusCode::kDeadlineExceeded:
      return absl::UnavailableError(status.message());
    default:
      return absl::InternalError(status.message());
  }
}

class PostgresTransaction final : public ledger::Transaction {
 public:
  PostgresTransaction(Session& session, feed::LedgerIdentity& identity, bool& open)
      : session_(session), identity_(identity), open_(open) {
    open_ = true;
  }

  // Rolls back where there is somebody to be told; a lost session has done so by itself.
  ~PostgresTransaction() override {
    if (work_ && session_.connected()) {
      session_
          .use([this](Connection&) {
            work_->abort();
            return absl::OkStatus();
          })
          .IgnoreError();
    }
    work_.reset();
    open_ = false;
  }

  absl::Status begin() {
    return use([this](Connection& connection) {
      work_.emplace(connection.pq());
      return absl::OkStatus();
    });
  }

  absl::StatusOr<LockedLevels> lock(std::span<const domain::Key> keys) override;
  absl::StatusOr<RememberedRequests> remembered(std::span<const domain::Uuid> ids) override;
  absl::StatusOr<domain::Transaction> persist(
      std::span<const PlannedMovement> movements,
      std::span<const ledger::Request* const> requests) override;
  absl::Status commit() override;

 private:
  absl::Status use(Session::Work work) { return as_promised(session_.use(work)); }
  void add_keys_without_level(Connection& connection, std::span<const domain::Key> keys,
                              LockedLevels& levels);

  // From three columns: xid, incarnation, ledger.
  domain::Transaction transaction(const pqxx::row& row, int first);

  Session& session_;
  feed::LedgerIdentity& identity_;
  bool& open_;
  std::optional<pqxx::work> work_;
};

absl::StatusOr<LockedLevels> PostgresTransaction::lock(std::span<const domain::Key> keys) {
  LockedLevels levels;
  levels.reserve(keys.size());
  const absl::Status status = use([&](Connection& connection) {
    for (const pqxx::row& row : connection.exec(*work_, sql::lock_levels(), columns(keys))) {
      levels[keys[index(row)]] = {
          .exists = true, .counts = counts(row, 2), .version = number(row[1])};
    }
    add_keys_without_level(connection, keys, levels);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return levels;
}

void PostgresTransaction::add_keys_without_level(Connection& connection,
                                                 std::span<const domain::Key> keys,
                                                 LockedLevels& levels) {
  std::vector<domain::Key> missing;
  for (const domain::Key& key : keys) {
    if (!levels.contains(key)) missing.push_back(key);
  }
  if (missing.empty()) return;
  for (const pqxx::row& row :
       connection.exec(*work_, sql::keys_without_level(), columns(missing))) {
    levels[missing[index(row)]] = {
        .exists = false, .counts = {}, .version = number(row[1]), .location_exists = flag(row[2])};
  }
}

absl::StatusOr<RememberedRequests> PostgresTransaction::remembered(
    std::span<const domain::Uuid> ids) {
  RememberedRequests requests;
  const absl::Status status = use([&](Connection& connection) {
    ArrayLiteral array;
    for (const domain::Uuid& id : ids) array.add(domain::format_uuid(id));
    for (const pqxx::row& row :
         connection.exec(*work_, sql::remembered_requests(), {array.take()})) {
      const auto id = domain::parse_uuid(text(row[0]));
      if (!id) return absl::InternalError("the database gave a request id that is none");
      ledger::Remembered& request = requests[*id];
      request.digest = parse_digest(text(row[1]));
      request.transaction = transaction(row, 10);
      if (row[2].is_null()) continue;  // it moved nothing
      request.levels.push_back(
          {.key = key(row, 2), .counts = counts(row, 5), .version = number(row[4])});
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return requests;
}

domain::Transaction PostgresTransaction::transaction(const pqxx::row& row, int first) {
  identity_.ledger_is(static_cast<std::uint64_t>(number(row[first + 2])));
  return {.incarnation = static_cast<domain::Incarnation>(number(row[first + 1])),
          .xid = static_cast<domain::Xid>(number(row[first]))};
}

absl::StatusOr<domain::Transaction> PostgresTransaction::persist(
    std::span<const PlannedMovement> movements, std::span<const ledger::Request* const> requests) {
  const PersistParameters parameters(movements, requests);
  domain::Transaction persisted;
  const absl::Status status = use([&](Connection& connection) {
    const pqxx::result result = connection.exec(*work_, sql::persist(), parameters.columns());
    const std::int64_t updated = number(result[0][0]);
    const std::int64_t created = number(result[0][1]);
    persisted = transaction(result[0], 2);
    // What is written now would be dated by the heartbeats of the history before.
    if (persisted.incarnation == 0) {
      return absl::UnavailableError("the ledger's incarnation has not begun yet");
    }
    if (updated == parameters.updates() && created == parameters.creations()) {
      return absl::OkStatus();
    }
    return absl::InternalError(
        fmt::format("{} levels were updated and {} created, where {} and {} were to be", updated,
                    created, parameters.updates(), parameters.creations()));
  });
  if (!status.ok()) return status;
  return persisted;
}

// Once COMMIT has been sent, only an answer tells what became of it.
absl::Status PostgresTransaction::commit() {
  absl::Status status = session_.use([this](Connection&) {
    work_->commit();
    return absl::OkStatus();
  });
  if (status.ok()) {
    work_.reset();
    return status;
  }
  if (!session_.connected()) return absl::UnavailableError(status.message());
  // The session lives, so this is the server's answer: it has rolled back.
  absl::Status known = as_promised(status);
  return absl::IsUnavailable(known) ? absl::AbortedError(known.message()) : known;
}

}  // namespace

SessionOptions LedgerStore::for_writing(SessionOptions options) {
  options.settings.emplace_back("lock_timeout", "2s");
  options.settings.emplace_back("idle_in_transaction_session_timeout", "5s");
  return options;
}

absl::StatusOr<std::unique_ptr<ledger::Transaction>> LedgerStore::begin() {
  if (open_) return absl::InternalError("a transaction of this store is open");
  if (absl::Status status = session_.connect(); !status.ok()) return status;
  auto transaction = std::make_unique<PostgresTransaction>(session_, identity_, open_);
  if (absl::Status status = transaction->begin(); !status.ok()) return status;
  return transaction;
}

}  // namespace stock::postgres

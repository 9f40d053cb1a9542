#include "stock/postgres/feed_source.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "stock/postgres/connection.h"
#include "stock/postgres/rows.h"
#include "stock/postgres/sql.h"

namespace stock::postgres {
namespace {

// However the statistics are, a delta is two ranges of an index.
SessionOptions for_feeding(SessionOptions session) {
  session.settings.emplace_back("enable_seqscan", "off");
  return session;
}

feed::Move move_of(const pqxx::row& row) {
  feed::Move move{.key = key(row, 9),
                  .version = number(row[1]),
                  .exists = flag(row[2]),
                  .counts = counts(row, 4),
                  .earliest_expiry = earliest_expiry(row),
                  .as_of = time(row[3])};
  const std::string_view xid = text(row[11]);
  std::from_chars(xid.data(), xid.data() + xid.size(), move.xid);
  return move;
}

// Adds a move, in place of the one before it if that is of the same key and transaction: what a
// transaction overwrote itself was never visible.
void add(std::vector<feed::Move>& moves, feed::Move move) {
  if (!moves.empty() && moves.back().xid == move.xid && moves.back().key == move.key) {
    moves.back() = std::move(move);
  } else {
    moves.push_back(std::move(move));
  }
}

feed::Poll poll_of(const Dating& dating) {
  return {.incarnation = dating.incarnation,
          .stamp = dating.true_through,
          .sent = dating.sent,
          .received = dating.received,
          .heartbeat = dating.heartbeat,
          .snapshot = dating.shows};
}

// Files of before were put back where a server had been shut down: all is as it was, the
// incarnation too, and the transaction ids since then are given out again.
bool has_gone_back(const feed::Poll& poll, domain::Incarnation incarnation,
                   const domain::Snapshot& since) {
  return poll.incarnation == incarnation && poll.snapshot->xmax() < since.xmax();
}

}  // namespace

FeedSource::FeedSource(Options options, Knowledge knowledge, clock::Timers& timers)
    : options_(std::move(options)),
      knowledge_(knowledge),
      asker_(Role::kPrimary, knowledge),
      session_(for_feeding(options_.session), knowledge.local, timers) {}

// From the oldest heartbeat since which not too much has moved. Of the newest one nobody asks how
// much that is: what is too much for it the next one shows.
absl::StatusOr<feed::Beginning> FeedSource::begin() {
  feed::Beginning beginning;
  for (std::chrono::seconds age = options_.look_back;; age /= 4) {
    std::shared_ptr<const domain::Snapshot> now;
    bool found = false;
    const absl::Status status =
        asker_.ask(session_, sql::tail_beginning(), {std::to_string(age.count())},
                   [&](const Dating& dating, const pqxx::result& rows) {
                     now = dating.shows;
                     for (const pqxx::row& row : rows) {
                       if (number(row[0]) == 0) continue;
                       beginning.heartbeat = number(row[0]);
                       beginning.incarnation = static_cast<domain::Incarnation>(number(row[6]));
                       if (auto snapshot = domain::Snapshot::parse(text(row[8]))) {
                         beginning.snapshot = *std::move(snapshot);
                         found = true;
                       }
                     }
                   });
    if (!status.ok()) return status;
    if (!found) return absl::UnavailableError("the ledger has no heartbeat yet");
    if (age.count() == 0) return beginning;
    const absl::StatusOr<bool> readable = is_readable(beginning.snapshot, *now);
    if (!readable.ok()) return readable.status();
    if (*readable) return beginning;
  }
}

absl::StatusOr<feed::Poll> FeedSource::poll(domain::Incarnation incarnation,
                                            const domain::Snapshot& since, Deliver deliver) {
  feed::Poll poll;
  const absl::StatusOr<bool> all = poll_at_once(incarnation, since, deliver, poll);
  if (!all.ok()) return all.status();
  if (has_gone_back(poll, incarnation, since)) return end(incarnation);
  if (*all) return poll;
  const absl::StatusOr<bool> readable = is_readable(since, *poll.snapshot);
  if (!readable.ok()) return readable.status();
  if (!*readable) return absl::OutOfRangeError("too much has moved at once");
  if (absl::Status status = poll_by_cursor(incarnation, since.text(), deliver, poll);
      !status.ok()) {
    return status;
  }
  return poll;
}

absl::Status FeedSource::end(domain::Incarnation incarnation) {
  const absl::Status status = session_.run([&](Connection& connection) {
    pqxx::nontransaction transaction(connection.pq());
    connection.exec(transaction, sql::end_incarnation(),
                    {std::to_string(static_cast<std::int64_t>(incarnation))});
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return absl::UnavailableError("the ledger was put back to what it was before");
}

absl::StatusOr<bool> FeedSource::is_readable(const domain::Snapshot& since,
                                             const domain::Snapshot& through) {
  std::size_t moves = 0;
  const absl::Status status = session_.run([&](Connection& connection) {
    pqxx::nontransaction transaction(connection.pq());
    const pqxx::result rows =
        connection.exec(transaction, sql::delta_size(),
                        {since.text(), through.text(), std::to_string(options_.most + 1)});
    moves = static_cast<std::size_t>(number(rows[0][0]));
    return absl::OkStatus();
  });
  if (absl::IsDeadlineExceeded(status) && session_.connected()) return false;
  if (!status.ok()) return status;
  return moves <= options_.most;
}

absl::StatusOr<bool> FeedSource::poll_at_once(domain::Incarnation incarnation,
                                              const domain::Snapshot& since, Deliver deliver,
                                              feed::Poll& poll) {
  bool all = true;
  const absl::Status status =
      asker_.ask(session_, sql::moves_since(), {since.text(), std::to_string(options_.piece + 1)},
                 [&](const Dating& dating, const pqxx::result& rows) {
                   poll = poll_of(dating);
                   all = rows.size() <= options_.piece + 1;  // one is the dating row
                   if (!all || poll.incarnation != incarnation) return;
                   if (has_gone_back(poll, incarnation, since)) return;
                   std::vector<feed::Move> moves;
                   for (const pqxx::row& row : rows) {
                     if (number(row[0]) != 0) add(moves, move_of(row));
                   }
                   if (!moves.empty()) deliver(poll, moves);
                 });
  if (!status.ok()) return status;
  return all || poll.incarnation != incarnation;
}

// One snapshot for all pieces. The transaction's timestamp is from before it was taken, as that of
// a lone statement is.
absl::Status FeedSource::poll_by_cursor(domain::Incarnation incarnation, const std::string& since,
                                        Deliver deliver, feed::Poll& poll) {
  if (absl::Status status = session_.connect(); !status.ok()) return status;
  std::optional<pqxx::transaction<pqxx::repeatable_read>> transaction;
  absl::Status status = session_.use([&](Connection& connection) -> absl::Status {
    const domain::LocalTime sent = knowledge_.local.now();
    transaction.emplace(connection.pq());
    const absl::Status dated =
        asker_.learn(connection, sent, connection.exec(*transaction, sql::pulse()),
                     [&](const Dating& dating, const pqxx::result&) { poll = poll_of(dating); });
    if (!dated.ok() || poll.incarnation != incarnation) return dated;

    // The first piece is there when all of them are sorted; the session's own limit is for a poll.
    transaction->exec("SET LOCAL statement_timeout = 0");
    std::string declare = sql::all_moves_since().text;
    const std::string quoted = transaction->quote(since);
    for (std::size_t at = 0; (at = declare.find("$1", at)) != declare.npos; at += quoted.size()) {
      declare.replace(at, 2, quoted);
    }
    transaction->exec(declare);
    return absl::OkStatus();
  });
  // The limit on how long a server may be silent holds for each piece, not for all of them.
  bool more = status.ok() && poll.incarnation == incarnation;
  const std::string fetch = fmt::format("FETCH {} FROM moves", options_.piece);
  std::vector<feed::Move> moves;
  while (more && status.ok()) {
    status = session_.use([&](Connection&) {
      const pqxx::result rows = transaction->exec(fetch);
      for (const pqxx::row& row : rows) add(moves, move_of(row));
      more = !rows.empty();
      return absl::OkStatus();
    });
    if (!status.ok()) break;
    // The last one may be overwritten by the first of the next piece.
    std::optional<feed::Move> last;
    if (more) {
      last = std::move(moves.back());
      moves.pop_back();
    }
    if (!moves.empty()) deliver(poll, moves);
    moves.clear();
    if (last) moves.push_back(*std::move(last));
  }
  // It has nothing to commit.
  if (session_.connected()) {
    const absl::Status ended = session_.use([&](Connection&) {
      transaction.reset();
      return absl::OkStatus();
    });
    status.Update(ended);
  }
  return status;
}

}  // namespace stock::postgres

#include "stock/postgres/feed_source.h"

#include <fmt/format.h>

#include <charconv>
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

}  // namespace

FeedSource::FeedSource(Options options, Knowledge knowledge, clock::Timers& timers)
    : options_(std::move(options)),
      knowledge_(knowledge),
      asker_(Role::kPrimary, knowledge),
      session_(for_feeding(options_.session), knowledge.local, timers) {}

absl::StatusOr<feed::Beginning> FeedSource::begin() {
  feed::Beginning beginning;
  bool found = false;
  const absl::Status status =
      asker_.ask(session_, sql::tail_beginning(), {std::to_string(options_.look_back.count())},
                 [&](const Dating&, const pqxx::result& rows) {
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
  return beginning;
}

absl::StatusOr<feed::Poll> FeedSource::poll(domain::Incarnation incarnation,
                                            const domain::Snapshot& since, Deliver deliver) {
  feed::Poll poll;
  const std::string text = since.text();
  const absl::StatusOr<bool> all = poll_at_once(incarnation, text, deliver, poll);
  if (!all.ok()) return all.status();
  if (*all) return poll;
  if (absl::Status status = poll_by_cursor(incarnation, text, deliver, poll); !status.ok()) {
    return status;
  }
  return poll;
}

absl::StatusOr<bool> FeedSource::poll_at_once(domain::Incarnation incarnation,
                                              const std::string& since, Deliver deliver,
                                              feed::Poll& poll) {
  bool all = true;
  const absl::Status status =
      asker_.ask(session_, sql::moves_since(), {since, std::to_string(options_.piece + 1)},
                 [&](const Dating& dating, const pqxx::result& rows) {
                   poll = poll_of(dating);
                   all = rows.size() <= options_.piece + 1;  // one is the dating row
                   if (!all || poll.incarnation != incarnation) return;
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
  return session_.run([&](Connection& connection) -> absl::Status {
    const domain::LocalTime sent = knowledge_.local.now();
    pqxx::transaction<pqxx::repeatable_read> transaction(connection.pq());
    const absl::Status dated =
        asker_.learn(connection, sent, connection.exec(transaction, sql::pulse()),
                     [&](const Dating& dating, const pqxx::result&) { poll = poll_of(dating); });
    if (!dated.ok() || poll.incarnation != incarnation) return dated;

    std::string declare = sql::all_moves_since().text;
    const std::string quoted = transaction.quote(since);
    for (std::size_t at = 0; (at = declare.find("$1", at)) != declare.npos; at += quoted.size()) {
      declare.replace(at, 2, quoted);
    }
    transaction.exec(declare);
    const std::string fetch = fmt::format("FETCH {} FROM moves", options_.piece);
    std::vector<feed::Move> moves;
    while (true) {
      const pqxx::result rows = transaction.exec(fetch);
      for (const pqxx::row& row : rows) add(moves, move_of(row));
      if (rows.empty()) break;
      // The last one may be overwritten by the first of the next piece.
      feed::Move last = std::move(moves.back());
      moves.pop_back();
      if (!moves.empty()) deliver(poll, moves);
      moves.clear();
      moves.push_back(std::move(last));
    }
    if (!moves.empty()) deliver(poll, moves);
    transaction.commit();
    return absl::OkStatus();
  });
}

}  // namespace stock::postgres

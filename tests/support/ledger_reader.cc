#include "support/ledger_reader.h"

#include <charconv>
#include <stdexcept>

namespace stock::support {
namespace {

using domain::DatabaseTime;
using domain::Key;

// What PostgreSQL itself says of a commit goes before what stockd wrote down, which stays when
// VACUUM has made PostgreSQL forget.
constexpr const char* kMovements = R"(
SELECT sku, location, version, (NOT deleted)::int,
       on_hand, reserved, committed, safety_stock, backorder_limit, on_hand_delta,
       (extract(epoch FROM coalesce(pg_xact_commit_timestamp(xid::xid), committed_at, at))
         * 1000000)::bigint,
       (extract(epoch FROM seen_by) * 1000000)::bigint,
       xid, request
FROM stock.movement LEFT JOIN stock.commit USING (xid)
ORDER BY sku, location, version)";

constexpr const char* kRequests = R"(
SELECT id, moved.sku, moved.location, moved.version
FROM stock.request
LEFT JOIN LATERAL unnest(skus, locations, versions) AS moved (sku, location, version) ON true)";

template <typename Number>
Number number(const std::string& text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw std::runtime_error("not a number: " + text);
  }
  return value;
}

std::int64_t integer(const std::string& text) { return number<std::int64_t>(text); }

DatabaseTime instant(const std::string& text) {
  return DatabaseTime(std::chrono::microseconds(integer(text)));
}

}  // namespace

Ledger read_ledger(Sql& sql) {
  Ledger ledger;
  sql.exec("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  for (const Sql::Row& row : sql.query(kMovements)) {
    LedgerMovement movement{.version = integer(row[2]),
                            .exists = row[3] == "1",
                            .counts = {.on_hand = integer(row[4]),
                                       .reserved = integer(row[5]),
                                       .committed = integer(row[6]),
                                       .safety_stock = integer(row[7]),
                                       .backorder_limit = integer(row[8])},
                            .on_hand_delta = integer(row[9]),
                            .committed_at = instant(row[10]),
                            .xid = number<std::uint64_t>(row[12]),
                            .request = row[13]};
    if (!row[11].empty()) movement.seen_by = instant(row[11]);
    ledger.movements[{row[0], row[1]}].push_back(std::move(movement));
  }
  for (const Sql::Row& row : sql.query(kRequests)) {
    auto& made = ledger.requests[row[0]];
    if (!row[1].empty()) made[{row[1], row[2]}] = integer(row[3]);
  }
  sql.exec("COMMIT");
  return ledger;
}

}  // namespace stock::support

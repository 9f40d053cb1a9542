#include "analytics/rollup_store.h"

#include <map>
#include <utility>

#include "stock/postgres/array_literal.h"
#include "stock/postgres/connection.h"

namespace analytics {
namespace {

using stock::postgres::ArrayLiteral;
using stock::postgres::Connection;
using stock::postgres::number;
using stock::postgres::Statement;
using stock::postgres::text;
using stock::postgres::time;

const Statement kPosition = {"analytics_position", R"(
SELECT revision, token, (extract(epoch FROM watermark) * 1000000)::bigint
FROM analytics.position)"};

// It may have been removed by hand.
const Statement kMakePosition = {"analytics_make_position", R"(
INSERT INTO analytics.position DEFAULT VALUES ON CONFLICT DO NOTHING)"};

const Statement kLockPosition = {"analytics_lock_position", kPosition.text + " FOR UPDATE"};

const Statement kRemembered = {"analytics_remembered", R"(
SELECT sku, location, version, (extract(epoch FROM committed_at) * 1000000)::bigint, units
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS wanted (sku, location, version)
JOIN analytics.counted USING (sku, location, version))"};

const Statement kRemember = {"analytics_remember", R"(
INSERT INTO analytics.counted (sku, location, version, committed_at, units)
SELECT sku, location, version, 'epoch'::timestamptz + at * interval '1 microsecond', units
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
  AS sale (sku, location, version, at, units)
ON CONFLICT (sku, location, version) DO UPDATE
SET committed_at = excluded.committed_at, units = excluded.units)"};

const Statement kChange = {"analytics_change", R"(
INSERT INTO analytics.sold AS sold (sku, location, hour, units)
SELECT sku, location, 'epoch'::timestamptz + hour * interval '1 microsecond', units
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[])
  AS change (sku, location, hour, units)
ON CONFLICT (sku, location, hour) DO UPDATE SET units = sold.units + excluded.units)"};

const Statement kMove = {"analytics_move", R"(
UPDATE analytics.position SET revision = $1::bigint, token = $2,
  watermark = 'epoch'::timestamptz + nullif($3, '')::bigint * interval '1 microsecond')"};

// However much is contradicted, it takes a small part of a page.
const Statement kUntold = {"analytics_untold", R"(
SELECT sku, location, (extract(epoch FROM hour) * 1000000)::bigint, units FROM (
  (SELECT * FROM analytics.sold WHERE told IS DISTINCT FROM units
   ORDER BY hour DESC LIMIT $1::bigint)
  UNION ALL
  (SELECT * FROM analytics.sold WHERE again_at <= now() AND told = units
   ORDER BY again_at LIMIT least($1::bigint, 100))) AS untold
LIMIT $1::bigint)"};

// What has changed meanwhile is told again.
const Statement kTold = {"analytics_told", R"(
UPDATE analytics.sold SET told = claim.units,
  again_at = CASE WHEN claim.contradicted = 1 THEN now() + interval '1 minute' END
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
  AS claim (sku, location, hour, units, contradicted)
WHERE sold.sku = claim.sku AND sold.location = claim.location
  AND sold.hour = 'epoch'::timestamptz + claim.hour * interval '1 microsecond')"};

std::int64_t micros(DatabaseTime time) { return time.time_since_epoch().count(); }

Position position_in(const pqxx::result& rows) {
  if (rows.empty()) return {};
  const auto& row = rows[0];
  Position position{
      .revision = number(row[0]), .token = std::string(text(row[1])), .watermark = {}};
  if (!row[2].is_null()) position.watermark = time(row[2]);
  return position;
}

// Until the transaction ends nobody else counts or testifies.
Position lock_position(Connection& connection, pqxx::work& transaction) {
  connection.exec(transaction, kMakePosition);
  return position_in(connection.exec(transaction, kLockPosition));
}

std::vector<std::string> columns(const std::vector<Sale>& sales, bool with_values) {
  ArrayLiteral skus;
  ArrayLiteral locations;
  ArrayLiteral versions;
  ArrayLiteral times;
  ArrayLiteral units;
  for (const Sale& sale : sales) {
    skus.add(sale.identity.key.sku);
    locations.add(sale.identity.key.location);
    versions.add(sale.identity.version);
    times.add(micros(sale.committed_at));
    units.add(sale.units);
  }
  std::vector<std::string> all = {skus.take(), locations.take(), versions.take()};
  if (with_values) all.insert(all.end(), {times.take(), units.take()});
  return all;
}

template <typename Rollups>
std::vector<std::string> columns(const Rollups& rollups) {
  ArrayLiteral skus;
  ArrayLiteral locations;
  ArrayLiteral hours;
  ArrayLiteral units;
  for (const auto& [window, count] : rollups) {
    skus.add(window.key.sku);
    locations.add(window.key.location);
    hours.add(micros(window.hour));
    units.add(count);
  }
  return {skus.take(), locations.take(), hours.take(), units.take()};
}

std::map<Identity, Sale> remembered(Connection& connection, pqxx::work& transaction,
                                    const std::vector<Sale>& sales) {
  std::map<Identity, Sale> found;
  for (const pqxx::row& row : connection.exec(transaction, kRemembered, columns(sales, false))) {
    const Identity identity{.key = {std::string(text(row[0])), std::string(text(row[1]))},
                            .version = number(row[2])};
    found.emplace(
        identity,
        Sale{.identity = identity, .committed_at = time(row[3]), .units = number(row[4])});
  }
  return found;
}

Counting count_in(Connection& connection, pqxx::work& transaction, const Batch& batch) {
  if (batch.sales.empty()) return {};
  Counting counting = count(batch.sales, remembered(connection, transaction, batch.sales));
  if (!counting.remember.empty()) {
    connection.exec(transaction, kRemember, columns(counting.remember, true));
  }
  if (!counting.changes.empty()) connection.exec(transaction, kChange, columns(counting.changes));
  return counting;
}

void move(Connection& connection, pqxx::work& transaction, const Position& to) {
  connection.exec(transaction, kMove,
                  {std::to_string(to.revision), to.token,
                   to.watermark ? std::to_string(micros(*to.watermark)) : std::string()});
}

}  // namespace

absl::StatusOr<Position> RollupStore::position() {
  Position position;
  const absl::Status status = session_.run([&](Connection& connection) {
    pqxx::nontransaction transaction(connection.pq());
    position = position_in(connection.exec(transaction, kPosition));
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return position;
}

absl::StatusOr<std::optional<Applied>> RollupStore::apply(const Position& from,
                                                          const Batch& batch) {
  std::optional<Applied> applied;
  Position to{.revision = from.revision + 1,
              .token = batch.token.empty() ? from.token : batch.token,
              .watermark = batch.watermark};
  if (!to.watermark && !batch.reset) to.watermark = from.watermark;
  const absl::Status status = session_.run([&](Connection& connection) {
    pqxx::work transaction(connection.pq());
    const Position found = lock_position(connection, transaction);
    if (found.revision == to.revision && found.token == to.token) {
      applied = Applied{.position = found, .counting = {}};
    } else if (found.revision == from.revision && found.token == from.token) {
      applied = Applied{.position = to, .counting = count_in(connection, transaction, batch)};
      move(connection, transaction, to);
    }
    transaction.commit();
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return applied;
}

absl::Status RollupStore::begin_anew() {
  return session_.run([&](Connection& connection) {
    pqxx::work transaction(connection.pq());
    const Position found = lock_position(connection, transaction);
    move(connection, transaction, {.revision = found.revision + 1, .token = {}, .watermark = {}});
    transaction.commit();
    return absl::OkStatus();
  });
}

absl::StatusOr<Untold> RollupStore::untold(std::int64_t limit) {
  Untold untold;
  const absl::Status status = session_.run([&](Connection& connection) {
    pqxx::work transaction(connection.pq());
    // Locked, so that the two belong together.
    untold.position = lock_position(connection, transaction);
    for (const pqxx::row& row : connection.exec(transaction, kUntold, {std::to_string(limit)})) {
      untold.rollups.push_back(
          {.window = {.key = {std::string(text(row[0])), std::string(text(row[1]))},
                      .hour = time(row[2])},
           .units = number(row[3])});
    }
    transaction.commit();
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return untold;
}

absl::Status RollupStore::told(const std::vector<Rollup>& rollups,
                               const std::vector<bool>& contradicted) {
  ArrayLiteral flags;
  for (const bool each : contradicted) flags.add(std::int64_t{each});
  std::vector<std::string> claims = columns(rollups);
  claims.push_back(flags.take());
  return session_.run([&](Connection& connection) {
    pqxx::work transaction(connection.pq());
    lock_position(connection, transaction);  // rows are locked in no order here
    connection.exec(transaction, kTold, claims);
    transaction.commit();
    return absl::OkStatus();
  });
}

}  // namespace analytics

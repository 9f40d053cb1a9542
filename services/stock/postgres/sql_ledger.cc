#include <fmt/format.h>

#include "stock/postgres/sql.h"

namespace stock::postgres::sql {

// The order of the arrays is the order of locking.
const Statement& lock_levels() {
  static const Statement statement{"lock_levels", R"(
SELECT key.position, version, on_hand, reserved, committed, safety_stock, backorder_limit
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS key (sku, location, position)
CROSS JOIN LATERAL (
  SELECT * FROM stock.level WHERE sku = key.sku AND location = key.location
  LIMIT 1 FOR UPDATE) AS level)"};
  return statement;
}

const Statement& keys_without_level() {
  static const Statement statement{"keys_without_level", R"(
SELECT key.position,
       coalesce((SELECT version FROM stock.movement
                 WHERE sku = key.sku AND location = key.location
                 ORDER BY version DESC LIMIT 1), 0),
       EXISTS (SELECT FROM stock.location WHERE id = key.location LIMIT 1)::int
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS key (sku, location, position))"};
  return statement;
}

const Statement& remembered_requests() {
  static const Statement statement{"remembered_requests", R"(
SELECT request.id, encode(request.digest, 'hex'), moved.sku, moved.location, moved.version,
       on_hand, reserved, committed, safety_stock, backorder_limit
FROM unnest($1::uuid[]) AS wanted (id)
CROSS JOIN LATERAL (
  SELECT * FROM stock.request WHERE id = wanted.id LIMIT 1) AS request
LEFT JOIN LATERAL unnest(request.skus, request.locations, request.versions)
  AS moved (sku, location, version) ON true
LEFT JOIN LATERAL (
  SELECT on_hand, reserved, committed, safety_stock, backorder_limit
  FROM stock.movement
  WHERE sku = moved.sku AND location = moved.location AND version = moved.version
  LIMIT 1) AS movement ON true
ORDER BY request.id, moved.sku COLLATE "C", moved.location COLLATE "C")"};
  return statement;
}

// One statement, because the ledger's triggers run at its end and want to find movements and levels
// agreed. One instant for both, so that they agree on that too.
const Statement& persist() {
  static const Statement statement{"persist", R"(
WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS at),
moved AS MATERIALIZED (
  SELECT * FROM unnest(
    $1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::int[],
    $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[],
    $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[])
  AS moved (request, sku, location, version, effect,
    on_hand_delta, reserved_delta, committed_delta, safety_stock_delta, backorder_limit_delta,
    on_hand, reserved, committed, safety_stock, backorder_limit)),
asked AS MATERIALIZED (
  SELECT * FROM unnest(
    $16::uuid[], $17::text[], $18::text[], $19::text[], $20::text[], $21::text[],
    $22::text[], $23::text[], $24::text[]) WITH ORDINALITY
  AS asked (id, digest, kind, reason, reference, actor, skus, locations, versions, position)),
requests AS (
  INSERT INTO stock.request (id, at, digest, skus, locations, versions)
  SELECT id, at, decode(digest, 'hex'), skus::text[], locations::text[], versions::bigint[]
  FROM asked, moment),
movements AS (
  INSERT INTO stock.movement (
    sku, location, version, at, kind, reason, reference, actor, request,
    on_hand_delta, reserved_delta, committed_delta, safety_stock_delta, backorder_limit_delta,
    on_hand, reserved, committed, safety_stock, backorder_limit)
  SELECT
    sku, location, version, at, kind, reason, reference, actor, id,
    on_hand_delta, reserved_delta, committed_delta, safety_stock_delta, backorder_limit_delta,
    on_hand, reserved, committed, safety_stock, backorder_limit
  FROM moved JOIN asked ON asked.position = moved.request, moment),
updated AS (
  UPDATE stock.level SET
    version = moved.version, changed_at = moment.at,
    on_hand = moved.on_hand, reserved = moved.reserved, committed = moved.committed,
    safety_stock = moved.safety_stock, backorder_limit = moved.backorder_limit
  FROM moved, moment
  WHERE moved.effect = 1 AND level.sku = moved.sku AND level.location = moved.location
  RETURNING 1),
created AS (
  INSERT INTO stock.level (
    sku, location, version, changed_at,
    on_hand, reserved, committed, safety_stock, backorder_limit)
  SELECT
    sku, location, version, at, on_hand, reserved, committed, safety_stock, backorder_limit
  FROM moved, moment WHERE effect = 2
  RETURNING 1)
SELECT (SELECT count(*) FROM updated), (SELECT count(*) FROM created))"};
  return statement;
}

const Statement& create_location() {
  static const Statement statement{"create_location", R"(
WITH created AS (
  INSERT INTO stock.location (id, display_name) VALUES ($1::text, $2::text)
  ON CONFLICT (id) DO NOTHING
  RETURNING display_name, created_at)
SELECT display_name, (extract(epoch FROM created_at) * 1000000)::bigint
FROM (SELECT * FROM created
      UNION ALL
      SELECT display_name, created_at FROM stock.location WHERE id = $1::text) AS location
LIMIT 1)"};
  return statement;
}

// Never on a standby, where the same lock is another one.
const Statement& try_lead() {
  static const Statement statement{"try_lead", R"(
SELECT CASE WHEN pg_is_in_recovery() THEN 0 ELSE pg_try_advisory_lock($1::bigint)::int END)"};
  return statement;
}

const Statement& begin_incarnation() {
  static const Statement statement{
      "begin_incarnation",
      "INSERT INTO stock.incarnation (id) VALUES ($1::bigint) ON CONFLICT DO NOTHING"};
  return statement;
}

// The newest heartbeat, if it is of this incarnation and from the future: the clock was set back.
constexpr const char* kFromTheFuture = R"(
  SELECT FROM (SELECT * FROM stock.heartbeat ORDER BY number DESC LIMIT 1) AS newest
  WHERE newest.incarnation = incarnation.id AND newest.stamp > transaction_timestamp())";

const Statement& end_incarnation() {
  static const Statement statement{
      "end_incarnation",
      fmt::format("DELETE FROM stock.incarnation WHERE EXISTS ({})", kFromTheFuture)};
  return statement;
}

// Whatever was visible to others by the stamp was committed before this is. In the same
// transaction, what has become visible since the heartbeat before: when it was committed, and a
// reading of the clock after it was seen. One step of the index for each transaction, however much
// it moved.
const Statement& beat() {
  static const Statement statement{"beat", fmt::format(R"(
WITH RECURSIVE newest AS MATERIALIZED (
  SELECT number, snapshot FROM stock.heartbeat ORDER BY number DESC LIMIT 1),
beat AS (
  INSERT INTO stock.heartbeat (number, stamp, snapshot, incarnation)
  SELECT coalesce((SELECT number FROM newest), 0) + 1,
         transaction_timestamp(), pg_current_snapshot(), id
  FROM stock.incarnation
  WHERE NOT EXISTS ({})
  RETURNING number),
begun (xid) AS (
  (SELECT xid FROM stock.movement
   WHERE xid >= (SELECT pg_snapshot_xmax(snapshot) FROM newest) ORDER BY xid LIMIT 1)
  UNION ALL
  SELECT (SELECT xid FROM stock.movement WHERE xid > begun.xid ORDER BY xid LIMIT 1)
  FROM begun WHERE begun.xid IS NOT NULL),
moved (xid) AS (
  SELECT xid FROM begun WHERE xid IS NOT NULL
  UNION ALL
  SELECT running.xid FROM newest CROSS JOIN LATERAL pg_snapshot_xip(snapshot) AS running (xid)
  WHERE pg_visible_in_snapshot(running.xid, pg_current_snapshot())
    AND EXISTS (SELECT FROM stock.movement WHERE movement.xid = running.xid)),
dated AS (
  SELECT moved.xid,
         coalesce(CASE WHEN current_setting('track_commit_timestamp') = 'on'
                       THEN pg_xact_commit_timestamp(moved.xid::xid) END, movement.at) AS committed_at
  FROM moved CROSS JOIN LATERAL (
    SELECT at FROM stock.movement WHERE movement.xid = moved.xid LIMIT 1) AS movement),
recorded AS (
  INSERT INTO stock.commit (xid, committed_at, seen_by)
  SELECT xid, committed_at, greatest(committed_at, clock_timestamp()) FROM dated
  WHERE EXISTS (SELECT FROM beat)
  ON CONFLICT (xid) DO NOTHING)
SELECT number FROM beat)",
                                                       kFromTheFuture)};
  return statement;
}

// The newest stays, however old: it is the only one by which a standby can be dated.
const Statement& prune_heartbeats() {
  static const Statement statement{"prune_heartbeats", R"(
DELETE FROM stock.heartbeat
WHERE stamp < transaction_timestamp() - make_interval(secs => $1::double precision)
  AND number < (SELECT max(number) FROM stock.heartbeat))"};
  return statement;
}

}  // namespace stock::postgres::sql

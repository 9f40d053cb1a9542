#include <fmt/format.h>

#include "stock/postgres/sql.h"
#include "stock/postgres/sql_parts.h"

namespace stock::postgres::sql {

// The order of the arrays is the order of locking.
const Statement& lock_levels() {
  static const Statement statement{"lock_levels", R"(
SELECT count(*)
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS key (sku, location, position)
CROSS JOIN LATERAL (
  SELECT FROM stock.level WHERE sku = key.sku AND location = key.location
  LIMIT 1 FOR UPDATE) AS level)"};
  return statement;
}

// What cannot be locked at this moment is somebody's whose number is in the row.
const Statement& level_holders() {
  static const Statement statement{"level_holders", R"(
SELECT key.position, level.xmax
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS key (sku, location, position)
CROSS JOIN LATERAL (
  SELECT xmax FROM stock.level WHERE sku = key.sku AND location = key.location
  LIMIT 1) AS level
WHERE (SELECT true FROM stock.level WHERE sku = key.sku AND location = key.location
       LIMIT 1 FOR UPDATE SKIP LOCKED) IS NULL)"};
  return statement;
}

// The snapshot is that of a statement of its own, after the one that locks: so it is what the locks
// waited for, and the clock is read afterwards. A level is ours if we have locked it; others have
// appeared meanwhile.
const Statement& open_books() {
  static const Statement statement{
      "open_books",
      fmt::format(R"(
SELECT 0, NULL::bigint, pg_current_xact_id()::text::bigint, {}, (SELECT id FROM stock.ledger),
       NULL::bigint, NULL::bigint, NULL::bigint,
       (EXISTS (SELECT FROM stock.request WHERE id = ANY ($3::uuid[]))
        OR EXISTS (SELECT FROM stock.reservation WHERE id = ANY ($3::uuid[])))::int,
       (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
UNION ALL
SELECT CASE WHEN level.version IS NULL THEN {} WHEN level.mine THEN {} ELSE {} END,
       key.position, coalesce(level.version, newest.version, 0),
       on_hand, reserved, committed, safety_stock, backorder_limit,
       (level.version IS NOT NULL
        OR EXISTS (SELECT FROM stock.location WHERE id = key.location LIMIT 1))::int,
       (extract(epoch FROM earliest_expire_at) * 1000000)::bigint
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS key (sku, location, position)
LEFT JOIN LATERAL (
  SELECT *, xmax = pg_current_xact_id()::xid AS mine FROM stock.level
  WHERE sku = key.sku AND location = key.location LIMIT 1) AS level ON true
LEFT JOIN LATERAL (
  SELECT version FROM stock.movement
  WHERE level.version IS NULL AND sku = key.sku AND location = key.location
  ORDER BY version DESC LIMIT 1) AS newest ON true)",
                  kIncarnation, int(Book::kNoLevel), int(Book::kLevel), int(Book::kUnlocked))};
  return statement;
}

const Statement& applied_before() {
  static const Statement statement{"applied_before", R"(
(SELECT request.id, encode(request.digest, 'hex'), moved.sku, moved.location, moved.version,
        on_hand, reserved, committed, safety_stock, backorder_limit, request.xid, 0
 FROM stock.request
 LEFT JOIN LATERAL unnest(request.skus, request.locations, request.versions)
   AS moved (sku, location, version) ON true
 LEFT JOIN LATERAL (
   SELECT on_hand, reserved, committed, safety_stock, backorder_limit
   FROM stock.movement
   WHERE sku = moved.sku AND location = moved.location AND version = moved.version
   LIMIT 1) AS movement ON true
 WHERE request.id = ANY ($1::uuid[])
 ORDER BY request.id, moved.sku COLLATE "C", moved.location COLLATE "C")
UNION ALL
SELECT id, encode(digest, 'hex'), NULL, NULL, NULL,
       NULL, NULL, NULL, NULL, NULL, xid, 1
FROM stock.reservation WHERE id = ANY ($1::uuid[]))"};
  return statement;
}

namespace {

// One statement, because the ledger's triggers run at its end and want to find movements and levels
// agreed. One instant for both, so that they agree on that too. The arrays are of one length, and
// are unnested side by side in the select list, which keeps none of them a second time as FROM
// does.
std::string move_text(bool creates) {
  constexpr const char* kCreated = R"(,
created AS (
  INSERT INTO stock.level (
    sku, location, version, changed_at,
    on_hand, reserved, committed, safety_stock, backorder_limit, earliest_expire_at)
  SELECT
    sku, location, version, at, on_hand, reserved, committed, safety_stock, backorder_limit,
    expire_at
  FROM moved, moment WHERE effect = 2
  RETURNING 1))";
  constexpr const char* kAllCreated = R"(,
       stock.expect($24::bigint, (SELECT count(*) FROM created), 'new levels'))";
  return fmt::format(R"(
WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS at),
moved AS MATERIALIZED (
  SELECT *, 'epoch'::timestamptz + nullif(expires, 0) * interval '1 microsecond' AS expire_at
  FROM (SELECT
    unnest($1::text[]) AS sku, unnest($2::text[]) AS location, unnest($3::bigint[]) AS version,
    unnest($4::int[]) AS effect, unnest($5::text[]) AS kind, unnest($6::text[]) AS reason,
    unnest($7::text[]) AS reference, unnest($8::text[]) AS actor, unnest($9::text[]) AS request,
    unnest($10::text[]) AS reservation, unnest($11::bigint[]) AS expires,
    unnest($12::bigint[]) AS on_hand_delta, unnest($13::bigint[]) AS reserved_delta,
    unnest($14::bigint[]) AS committed_delta, unnest($15::bigint[]) AS safety_stock_delta,
    unnest($16::bigint[]) AS backorder_limit_delta, unnest($17::bigint[]) AS on_hand,
    unnest($18::bigint[]) AS reserved, unnest($19::bigint[]) AS committed,
    unnest($20::bigint[]) AS safety_stock, unnest($21::bigint[]) AS backorder_limit) AS moved),
movements AS (
  INSERT INTO stock.movement (
    sku, location, version, at, kind, reason, reference, actor, request, reservation,
    on_hand_delta, reserved_delta, committed_delta, safety_stock_delta, backorder_limit_delta,
    on_hand, reserved, committed, safety_stock, backorder_limit, earliest_expire_at)
  SELECT
    sku, location, version, at, kind, reason, reference, actor,
    nullif(request, '')::uuid, nullif(reservation, '')::uuid,
    on_hand_delta, reserved_delta, committed_delta, safety_stock_delta, backorder_limit_delta,
    on_hand, reserved, committed, safety_stock, backorder_limit, expire_at
  FROM moved, moment
  RETURNING 1),
updated AS (
  UPDATE stock.level SET
    version = moved.version, changed_at = moment.at,
    on_hand = moved.on_hand, reserved = moved.reserved, committed = moved.committed,
    safety_stock = moved.safety_stock, backorder_limit = moved.backorder_limit,
    earliest_expire_at = moved.expire_at
  FROM moved, moment
  WHERE moved.effect = 1 AND level.sku = moved.sku AND level.location = moved.location
  RETURNING 1){}
SELECT stock.expect($22::bigint, (SELECT count(*) FROM movements), 'movements'),
       stock.expect($23::bigint, (SELECT count(*) FROM updated), 'changed levels'){})",
                     creates ? kCreated : "", creates ? kAllCreated : "");
}

}  // namespace

const Statement& move() {
  static const Statement statement{"move", move_text(false)};
  return statement;
}

const Statement& move_and_create() {
  static const Statement statement{"move_and_create", move_text(true)};
  return statement;
}

const Statement& move_one() {
  static const Statement statement{"move_one", R"(
WITH movement AS (
  INSERT INTO stock.movement (
    sku, location, kind, reason, reference, actor, request, reservation,
    version, at, earliest_expire_at,
    on_hand_delta, reserved_delta, committed_delta, safety_stock_delta, backorder_limit_delta,
    on_hand, reserved, committed, safety_stock, backorder_limit)
  SELECT
    t[1], t[2], t[3], t[4], t[5], t[6], nullif(t[7], '')::uuid, nullif(t[8], '')::uuid,
    n[1], clock_timestamp(), 'epoch'::timestamptz + nullif(n[2], 0) * interval '1 microsecond',
    n[3], n[4], n[5], n[6], n[7], n[8], n[9], n[10], n[11], n[12]
  FROM (SELECT $1::text[] AS t, $2::bigint[] AS n) AS moved
  RETURNING *),
updated AS (
  UPDATE stock.level SET
    version = movement.version, changed_at = movement.at,
    on_hand = movement.on_hand, reserved = movement.reserved, committed = movement.committed,
    safety_stock = movement.safety_stock, backorder_limit = movement.backorder_limit,
    earliest_expire_at = movement.earliest_expire_at
  FROM movement
  WHERE level.sku = ($1::text[])[1] AND level.location = ($1::text[])[2]
  RETURNING 1)
SELECT stock.expect(1, (SELECT count(*) FROM updated), 'changed levels'))"};
  return statement;
}

// Arrays of different lengths cannot be rows of one array: they travel as texts.
const Statement& remember() {
  static const Statement statement{"remember", R"(
INSERT INTO stock.request (id, at, digest, skus, locations, versions)
SELECT id, clock_timestamp(), decode(digest, 'hex'),
       skus::text[], locations::text[], versions::bigint[]
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[])
  AS asked (id, digest, skus, locations, versions))"};
  return statement;
}

const Statement& committed_at() {
  static const Statement statement{"committed_at", R"(
SELECT (pg_xact_status($1::text::xid8) = 'committed')::int,
       CASE WHEN current_setting('track_commit_timestamp') = 'on'
       THEN (extract(epoch FROM pg_xact_commit_timestamp($1::text::xid8::xid)) * 1000000)::bigint END)"};
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
      "INSERT INTO stock.incarnation (id) SELECT $1::bigint FROM stock.ledger"
      " WHERE relation = tableoid ON CONFLICT DO NOTHING"};
  return statement;
}

// The newest heartbeat, if it is of this incarnation and from the future: the clock was set back.
constexpr const char* kFromTheFuture = R"(
  SELECT FROM (SELECT * FROM stock.heartbeat ORDER BY number DESC LIMIT 1) AS newest
  WHERE newest.incarnation = incarnation.id AND newest.stamp > transaction_timestamp())";

const Statement& end_incarnation() {
  static const Statement statement{
      "end_incarnation",
      fmt::format("DELETE FROM stock.incarnation WHERE id = $1::bigint OR EXISTS ({})",
                  kFromTheFuture)};
  return statement;
}

// Whatever was visible to others by the stamp was committed before this is. In the same
// transaction, what has become visible since the heartbeat before: when it was committed, and a
// reading of the clock after it was seen. One step of the index for each transaction, however much
// it moved, and so many at most: after a long time without a leader a heartbeat must not take
// longer than a statement may. Of the others nobody knows when they were seen.
const Statement& beat() {
  static const Statement statement{"beat", fmt::format(R"(
WITH RECURSIVE newest AS MATERIALIZED (
  SELECT number, snapshot FROM stock.heartbeat ORDER BY number DESC LIMIT 1),
beat AS (
  INSERT INTO stock.heartbeat (number, stamp, snapshot, incarnation)
  SELECT coalesce((SELECT number FROM newest), 0) + 1,
         transaction_timestamp(), pg_current_snapshot(), incarnation.id
  FROM stock.incarnation JOIN stock.ledger ON ledger.relation = ledger.tableoid
  WHERE NOT EXISTS ({})
  RETURNING number),
begun (xid) AS (
  (SELECT xid FROM stock.movement
   WHERE xid >= (SELECT pg_snapshot_xmax(snapshot) FROM newest) ORDER BY xid LIMIT 1)
  UNION ALL
  SELECT (SELECT xid FROM stock.movement WHERE xid > begun.xid ORDER BY xid LIMIT 1)
  FROM begun WHERE begun.xid IS NOT NULL),
moved (xid) AS (
  (SELECT xid FROM begun WHERE xid IS NOT NULL LIMIT 5000)
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
  INSERT INTO stock.commit (xid, committed_at, seen_by, heartbeat)
  SELECT xid, committed_at, greatest(committed_at, clock_timestamp()), beat.number
  FROM dated CROSS JOIN beat
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

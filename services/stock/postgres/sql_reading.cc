#include <fmt/format.h>

#include "stock/postgres/sql.h"
#include "stock/postgres/sql_parts.h"

namespace stock::postgres::sql {

// By floating point from 2020 on, which is several times faster than extract()'s decimals and loses
// nothing: below 2^31 seconds, to the year 2088, it is less than a quarter of a microsecond off
// before it is rounded.
std::string micros(std::string_view instant) {
  return fmt::format(
      "((date_part('epoch', {} - '2020-01-01 00:00:00+00'::timestamptz) * 1000000)::bigint"
      " + 1577836800000000)",
      instant);
}

namespace {

// Asked once per statement, not for each row.
constexpr std::string_view kKeepsCommits =
    "(SELECT current_setting('track_commit_timestamp') = 'on')";

// When a movement was committed: where the server keeps that, by the transaction of its row (or its
// subtransaction, after a savepoint); not when the row is a copy, of an adopted ledger, whose
// movements carry the xid 3. VACUUM forgets it: then by what the leader recorded, else when it was
// written.
std::string movement_commit(std::string_view row) {
  return fmt::format(
      "coalesce(CASE WHEN {1} AND {0}.xid <> '3' THEN pg_xact_commit_timestamp({0}.xmin) END,"
      " (SELECT recorded.committed_at FROM stock.commit AS recorded WHERE recorded.xid = {0}.xid),"
      " {0}.at)",
      row, kKeepsCommits);
}

}  // namespace

std::string movement_committed_at() { return micros(movement_commit("movement")); }

namespace {

// The same of a level, by the movement of its version where its own row does not tell: a row that
// was committed long after it was changed may be a copy. (One that was copied within the second is
// dated by a second too late at most.)
std::string level_committed_at() {
  return micros(fmt::format(
      "CASE WHEN {}"
      " AND pg_xact_commit_timestamp(level.xmin) <= level.changed_at + interval '1 second'"
      " THEN pg_xact_commit_timestamp(level.xmin)"
      " ELSE coalesce((SELECT {} FROM stock.movement AS its WHERE its.sku = level.sku"
      " AND its.location = level.location AND its.version = level.version LIMIT 1),"
      " level.changed_at) END",
      kKeepsCommits, movement_commit("its")));
}

}  // namespace

// transaction_timestamp() is taken before the snapshot, so what the snapshot shows was still true
// then; statement_timestamp() can be later than the snapshot. A standby cannot read the
// incarnation, which is UNLOGGED, and its own snapshots do not tell what was still running; but the
// heartbeat's does. `padding`: for the columns that the statement has between these.
std::string dating_row(Role role, std::string_view padding) {
  return fmt::format(
      R"(
SELECT 0::bigint, {now}, pg_is_in_recovery()::int::bigint,
       heartbeat.number, {stamp}, heartbeat.incarnation, {incarnation}{padding},
       {clock}, {snapshot}
FROM (VALUES (1)) AS one
LEFT JOIN (SELECT * FROM stock.heartbeat ORDER BY number DESC LIMIT 1) AS heartbeat ON true
)",
      fmt::arg("now", micros("transaction_timestamp()")),
      fmt::arg("stamp", micros("heartbeat.stamp")),
      fmt::arg("incarnation", role == Role::kPrimary ? kIncarnation : "NULL::bigint"),
      fmt::arg("padding", padding),
      fmt::arg("clock", role == Role::kPrimary ? micros("clock_timestamp()") : "NULL::bigint"),
      fmt::arg("snapshot", role == Role::kPrimary ? "pg_current_snapshot()::text"
                                                  : "heartbeat.snapshot::text"));
}

namespace {

Statement make_levels_of_keys(Role role) {
  constexpr std::string_view kText = R"({dating}
UNION ALL
SELECT key.position, (level.version IS NOT NULL)::int,
       coalesce(level.version, tombstone.version, 0), coalesce(level.as_of, tombstone.as_of, 0),
       on_hand, reserved, committed, safety_stock, backorder_limit, {expires}, {undated}
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS key (sku, location, position)
LEFT JOIN LATERAL (
  SELECT version, {level_as_of} AS as_of,
         on_hand, reserved, committed, safety_stock, backorder_limit, earliest_expire_at
  FROM stock.level WHERE sku = key.sku AND location = key.location
  LIMIT 1) AS level ON true
LEFT JOIN LATERAL (
  SELECT version, {movement_as_of} AS as_of
  FROM stock.movement
  WHERE level.version IS NULL AND sku = key.sku AND location = key.location
  ORDER BY version DESC LIMIT 1) AS tombstone ON true)";
  return {"levels_of_keys",
          fmt::format(
              kText, fmt::arg("undated", kUndated), fmt::arg("expires", kExpires),
              fmt::arg("dating", dating_row(role, ", NULL::bigint, NULL::bigint, NULL::bigint")),
              fmt::arg("level_as_of", level_committed_at()),
              fmt::arg("movement_as_of", movement_committed_at()))};
}

// Location by location, each a range of the index on (location, sku).
Statement make_level_page(Role role) {
  constexpr std::string_view kText = R"({dating}
UNION ALL
SELECT row_number() OVER (ORDER BY location, sku), 1, version, as_of,
       on_hand, reserved, committed, safety_stock, backorder_limit, sku, location,
       {expires}, {undated}
FROM (
  SELECT level.*
  FROM stock.location AS place
  CROSS JOIN LATERAL (
    SELECT version, {as_of} AS as_of,
           on_hand, reserved, committed, safety_stock, backorder_limit, sku, location,
           earliest_expire_at
    FROM stock.level
    WHERE location = place.id AND sku >= $3::text AND sku <= $4::text
      AND (location, sku) > ($5::text, $6::text)
    ORDER BY sku LIMIT $7::bigint) AS level
  WHERE place.id >= $1::text AND place.id <= $2::text
  ORDER BY place.id, level.sku LIMIT $7::bigint) AS page
ORDER BY 1)";
  return {"level_page",
          fmt::format(kText, fmt::arg("undated", kUndated), fmt::arg("expires", kExpires),
                      fmt::arg("dating", dating_row(role,
                                                    ", NULL::bigint, NULL::bigint, NULL::text,"
                                                    " NULL::text, NULL::bigint")),
                      fmt::arg("as_of", level_committed_at()))};
}

// One range of the primary key, whose order is not told: neither numbered nor sorted, a level costs
// a third of what it does when it is named by levels_of_keys(). Its types are those of the dating
// row, so that nothing converts them.
Statement make_level_walk(Role role) {
  constexpr std::string_view kText = R"({dating}
UNION ALL
(SELECT 1::bigint, 1::bigint, version, {as_of},
        on_hand::bigint, reserved::bigint, committed::bigint, safety_stock::bigint,
        backorder_limit::bigint, sku::text, location::text, {expires}, {undated}
 FROM stock.level WHERE (sku, location) > ($1::text, $2::text)
 ORDER BY sku, location LIMIT $3::bigint))";
  return {"level_walk",
          fmt::format(kText, fmt::arg("undated", kUndated), fmt::arg("expires", kExpires),
                      fmt::arg("dating", dating_row(role,
                                                    ", NULL::bigint, NULL::bigint, NULL::text,"
                                                    " NULL::text, NULL::bigint")),
                      fmt::arg("as_of", level_committed_at()))};
}

Statement make_movement_page(Role role) {
  constexpr std::string_view kText = R"({dating}
UNION ALL
SELECT row_number() OVER (ORDER BY version DESC), version, committed_at,
       on_hand_delta, reserved_delta, committed_delta, safety_stock_delta, backorder_limit_delta,
       on_hand, reserved, committed, safety_stock, backorder_limit,
       deleted::int, kind, reason, reference, actor, request::text, reservation::text, {undated}
FROM (
  SELECT *, {committed_at} AS committed_at
  FROM stock.movement
  WHERE sku = $1::text AND location = $2::text AND version < $3::bigint
  ORDER BY version DESC LIMIT $4::bigint) AS page
ORDER BY 1)";
  return {"movement_page",
          fmt::format(kText, fmt::arg("undated", kUndated),
                      fmt::arg("dating", dating_row(role,
                                                    ", NULL::bigint, NULL::bigint,"
                                                    " NULL::bigint, NULL::bigint,"
                                                    " NULL::bigint, NULL::bigint,"
                                                    " NULL::bigint, NULL::text, NULL::text,"
                                                    " NULL::text, NULL::text, NULL::text,"
                                                    " NULL::text")),
                      fmt::arg("committed_at", movement_committed_at()))};
}

// Of one movement, that the statements below find.
constexpr std::string_view kPastColumns =
    "version, deleted, xid, on_hand, reserved, committed, safety_stock, backorder_limit,"
    " earliest_expire_at";

// Whether the leader has recorded when a movement became visible. It does so together with the
// heartbeat that shows it: one that the newest heartbeat does not show is so new that it may be
// becoming visible right now; of one that it shows, and that was not recorded, nothing is known.
constexpr std::string_view kIsNew = R"(
  recorded.seen_by IS NULL AND NOT coalesce(
    pg_visible_in_snapshot(movement.xid,
      (SELECT snapshot FROM stock.heartbeat ORDER BY number DESC LIMIT 1)), false))";
const std::string& recorded() {
  static const std::string text = fmt::format(R"(
LEFT JOIN LATERAL (
  SELECT seen_by FROM stock.commit AS recorded WHERE recorded.xid = movement.xid
  LIMIT 1) AS recorded ON true
CROSS JOIN LATERAL (SELECT {} AS is_new OFFSET 0) AS state)",
                                              kIsNew);
  return text;
}

std::string seen_by(Role role) {
  return micros(
      role == Role::kPrimary
          ? "coalesce(recorded.seen_by, CASE WHEN state.is_new THEN clock_timestamp() END)"
          : "recorded.seen_by");
}

constexpr std::string_view kPastPadding =
    ", NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint,"
    " NULL::bigint";

std::string horizon() { return fmt::format("(SELECT {} FROM stock.horizon)", micros("at")); }

// Movements were written in the order of their versions, and none was committed before it was
// written: so the last one written by the instant is found by bisection, however long the history,
// and the newest one committed by then is that or one of the few before it. (Where the clock was
// set back in between, an instant that came twice is looked for in one of the times.) What was
// pruned was superseded by the horizon: no instant from there on is looked for among it.
Statement make_levels_at(Role role) {
  constexpr std::string_view kText = R"({dating}
UNION ALL
SELECT key.position, coalesce(NOT movement.deleted, false)::int, coalesce(movement.version, 0),
       coalesce({as_of}, 0),
       on_hand, reserved, committed, safety_stock, backorder_limit,
       {seen_by}, (movement.version IS NOT NULL
         AND (state.is_new OR coalesce(instant.at <= recorded.seen_by, false)))::int,
       NULL, {horizon}, {expires}, {undated}
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS key (sku, location, position)
CROSS JOIN (
  SELECT 'epoch'::timestamptz + $3::bigint * interval '1 microsecond' AS at OFFSET 0) AS instant
CROSS JOIN LATERAL (
  WITH RECURSIVE bisection (low, high) AS (
    SELECT coalesce((
      SELECT version FROM stock.movement
      WHERE movement.sku = key.sku AND movement.location = key.location
      ORDER BY version LIMIT 1), 1) - 1, coalesce((
      SELECT version FROM stock.movement
      WHERE movement.sku = key.sku AND movement.location = key.location
      ORDER BY version DESC LIMIT 1), 0)
    UNION ALL
    SELECT CASE WHEN written.at <= instant.at THEN middle ELSE low END,
           CASE WHEN written.at <= instant.at THEN high ELSE middle - 1 END
    FROM bisection
    CROSS JOIN LATERAL (SELECT (low + high + 1) / 2 AS middle OFFSET 0) AS half
    CROSS JOIN LATERAL (
      SELECT at FROM stock.movement
      WHERE movement.sku = key.sku AND movement.location = key.location AND version = middle
      LIMIT 1) AS written
    WHERE low < high)
  SELECT low AS version FROM bisection WHERE low = high LIMIT 1) AS written
LEFT JOIN LATERAL (
  SELECT {columns}, {committed_at} AS committed_at FROM stock.movement
  WHERE movement.sku = key.sku AND movement.location = key.location
    AND version <= written.version AND {committed_at} <= instant.at
  ORDER BY version DESC LIMIT 1) AS movement ON true
{recorded})";
  return {"levels_at",
          fmt::format(kText, fmt::arg("dating", dating_row(role, kPastPadding)),
                      fmt::arg("undated", kUndated), fmt::arg("expires", kExpires),
                      fmt::arg("as_of", micros("committed_at")), fmt::arg("horizon", horizon()),
                      fmt::arg("seen_by", seen_by(role)), fmt::arg("columns", kPastColumns),
                      fmt::arg("committed_at", movement_commit("movement")),
                      fmt::arg("recorded", recorded()))};
}

Statement make_levels_of_version(Role role) {
  constexpr std::string_view kText = R"({dating}
UNION ALL
SELECT key.position, (NOT movement.deleted)::int, movement.version, {as_of},
       on_hand, reserved, committed, safety_stock, backorder_limit,
       {seen_by}, 0, {succeeded_at}, {horizon}, {expires}, {undated}
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS key (sku, location, position)
CROSS JOIN LATERAL (
  SELECT version FROM stock.movement
  WHERE movement.sku = key.sku AND movement.location = key.location
  ORDER BY version DESC LIMIT 1) AS newest
LEFT JOIN LATERAL (
  SELECT {columns}, {committed_at} AS committed_at FROM stock.movement
  WHERE movement.sku = key.sku AND movement.location = key.location AND version = $3::bigint
  LIMIT 1) AS movement ON true
LEFT JOIN LATERAL (
  SELECT {committed_at} AS committed_at FROM stock.movement
  WHERE movement.sku = key.sku AND movement.location = key.location AND version = $3::bigint + 1
  LIMIT 1) AS successor ON true
{recorded}
WHERE newest.version >= $3::bigint)";
  return {"levels_of_version",
          fmt::format(kText, fmt::arg("dating", dating_row(role, kPastPadding)),
                      fmt::arg("undated", kUndated), fmt::arg("expires", kExpires),
                      fmt::arg("as_of", micros("movement.committed_at")),
                      fmt::arg("succeeded_at", micros("successor.committed_at")),
                      fmt::arg("horizon", horizon()), fmt::arg("seen_by", seen_by(role)),
                      fmt::arg("columns", kPastColumns),
                      fmt::arg("committed_at", movement_commit("movement")),
                      fmt::arg("recorded", recorded()))};
}

Statement make_location_page(Role role) {
  constexpr std::string_view kText = R"({dating}
UNION ALL
SELECT row_number() OVER (ORDER BY id), {created_at}, NULL, NULL, NULL, NULL, NULL,
       id, display_name, {undated}
FROM (
  SELECT * FROM stock.location WHERE id > $1::text AND id >= $2::text AND id <= $3::text
  ORDER BY id LIMIT $4::bigint) AS page
ORDER BY 1)";
  return {"location_page",
          fmt::format(kText, fmt::arg("undated", kUndated),
                      fmt::arg("dating", dating_row(role, ", NULL::text, NULL::text")),
                      fmt::arg("created_at", micros("created_at")))};
}

// What is told of a version: up to what is there of each, and then as `seen` names it.
constexpr std::string_view kFacts =
    "movement.version, (NOT movement.deleted)::int, movement.committed_at, movement.on_hand,"
    " movement.reserved, movement.committed, movement.safety_stock, movement.backorder_limit";
constexpr std::string_view kFactDates = "movement.written_at, movement.expires";

std::string history_columns() {
  return fmt::format(
      "version, deleted, on_hand, reserved, committed, safety_stock, backorder_limit, xid,"
      " {} AS committed_at, {} AS written_at, {} AS expires",
      movement_committed_at(), micros("at"), kExpires);
}

std::string history_dating() {
  return dating_row(Role::kPrimary,
                    ", NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::text,"
                    " NULL::bigint, NULL::bigint, NULL::int, NULL::bigint, NULL::bigint");
}

Statement make_histories() {
  constexpr std::string_view kText = R"({dating}
UNION ALL
SELECT key.position, 1, {facts}, (
  SELECT version FROM stock.movement WHERE sku = key.sku AND location = key.location
  ORDER BY version LIMIT 1), {seen}, {dates}, {undated}
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS key (sku, location, position)
CROSS JOIN LATERAL (
  SELECT {columns} FROM stock.movement WHERE sku = key.sku AND location = key.location
  ORDER BY version DESC LIMIT 1) AS movement
{recorded}
UNION ALL
SELECT wanted.position, 0, {facts}, NULL, {seen}, {dates}, {undated}
FROM unnest($3::bigint[], $4::text[], $5::text[], $6::bigint[])
  AS wanted (position, sku, location, version)
CROSS JOIN LATERAL (
  SELECT {columns} FROM stock.movement WHERE sku = wanted.sku AND location = wanted.location
    AND version BETWEEN wanted.version AND wanted.version + 1
  LIMIT 2) AS movement
{recorded})";
  constexpr std::string_view kRecorded = R"(
LEFT JOIN LATERAL (
  SELECT seen_by, heartbeat FROM stock.commit WHERE commit.xid = movement.xid
  LIMIT 1) AS recorded ON true)";
  return {"histories",
          fmt::format(kText, fmt::arg("undated", kUndated), fmt::arg("dating", history_dating()),
                      fmt::arg("facts", kFacts), fmt::arg("dates", kFactDates),
                      fmt::arg("recorded", kRecorded),
                      fmt::arg("seen", fmt::format("movement.xid::text, {}, recorded.heartbeat,"
                                                   " ({})::int",
                                                   micros("recorded.seen_by"), kIsNew)),
                      fmt::arg("columns", history_columns()))};
}

// Of each key the newest one alone, and of that no more than it takes to judge who says the same.
// Its types are those of the dating row, so that nothing converts them.
Statement make_newest_versions() {
  constexpr std::string_view kText = R"({dating}
UNION ALL
SELECT key.position, (NOT movement.deleted)::int::bigint, movement.version, movement.committed_at,
       movement.on_hand, movement.reserved, movement.committed, movement.safety_stock,
       movement.backorder_limit, movement.expires, {undated}
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS key (sku, location, position)
CROSS JOIN LATERAL (
  SELECT version, deleted, on_hand, reserved, committed, safety_stock, backorder_limit,
         {committed_at} AS committed_at, {expires} AS expires
  FROM stock.movement WHERE sku = key.sku AND location = key.location
  ORDER BY version DESC LIMIT 1) AS movement)";
  return {"newest_versions",
          fmt::format(kText, fmt::arg("undated", kUndated), fmt::arg("expires", kExpires),
                      fmt::arg("dating", dating_row(Role::kPrimary,
                                                    ", NULL::bigint, NULL::bigint, NULL::bigint")),
                      fmt::arg("committed_at", movement_committed_at()))};
}

// Who writes a row holds a lock on its table: from before the row is there until after everybody
// sees it, if it is committed, and so does a prepared transaction. The locks are looked at once: to
// prepare a transaction gives all of them another owner's name. They name a transaction by the
// lower half of its number, which is within 2^31 of every snapshot's.
constexpr std::string_view kWriters = R"(
WITH held AS MATERIALIZED (SELECT * FROM pg_locks WHERE granted)
SELECT DISTINCT next + (named.xid - next % (1::bigint << 32) + (3::bigint << 31))
       % (1::bigint << 32) - (1::bigint << 31)
FROM held AS written
JOIN held AS own USING (virtualtransaction)
CROSS JOIN LATERAL (SELECT own.transactionid::text::bigint AS xid) AS named
CROSS JOIN (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next) AS numbers
WHERE written.locktype = 'relation' AND written.mode = 'RowExclusiveLock'
  AND written.relation IN ('stock.movement'::regclass, 'stock.heartbeat'::regclass)
  AND written.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND own.locktype = 'transactionid' AND own.mode = 'ExclusiveLock')";

Statement make_keys_after() {
  constexpr std::string_view kText = R"({dating}
UNION ALL
SELECT row_number() OVER (ORDER BY sku, location), NULL, NULL, NULL, NULL, NULL, NULL,
       sku, location, {undated}
FROM (
  SELECT sku, location FROM stock.level WHERE (sku, location) > ($1::text, $2::text)
  ORDER BY sku, location LIMIT $3::bigint) AS page
ORDER BY 1)";
  return {"keys_after",
          fmt::format(kText, fmt::arg("undated", kUndated),
                      fmt::arg("dating", dating_row(Role::kPrimary, ", NULL::text, NULL::text")))};
}

// Of the delta between two snapshots: what is visible now and was not to $1. Two ranges of the
// index on xid: what had not begun then, and what was running; what still runs is not looked at,
// however much it has written.
constexpr std::string_view kMoves = R"(
SELECT 1::bigint, version, (NOT deleted)::int::bigint, as_of,
       on_hand, reserved, committed, safety_stock, backorder_limit,
       sku, location, xid::text, {expires}, {undated}
FROM (
  SELECT *, {as_of} AS as_of FROM stock.movement
  WHERE xid >= pg_snapshot_xmax($1::pg_snapshot)
  UNION ALL
  SELECT moved.* FROM pg_snapshot_xip($1::pg_snapshot) AS running (xid)
  CROSS JOIN LATERAL (
    SELECT *, {as_of} AS as_of FROM stock.movement WHERE movement.xid = running.xid
    OFFSET 0) AS moved
  WHERE pg_visible_in_snapshot(running.xid, pg_current_snapshot())
  {limit}) AS moved
ORDER BY sku, location, version)";

// The limit is on what is looked at, so that what is too much is not dated and sorted before
// anybody knows.
std::string moves(std::string_view limit) {
  return fmt::format(kMoves, fmt::arg("undated", kUndated), fmt::arg("expires", kExpires),
                     fmt::arg("as_of", movement_committed_at()), fmt::arg("limit", limit));
}

Statement make_moves_since() {
  return {"moves_since",
          fmt::format("{}UNION ALL\n({})",
                      dating_row(Role::kPrimary,
                                 ", NULL::bigint, NULL::bigint, NULL::text, NULL::text, NULL::text,"
                                 " NULL::bigint"),
                      moves("LIMIT $2::bigint"))};
}

Statement make_request_held() {
  constexpr std::string_view kText = R"({dating}
UNION ALL
(SELECT 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, xid::text
 FROM (SELECT xid FROM stock.request WHERE id = $1::uuid
       UNION ALL
       SELECT xid FROM stock.reservation WHERE id = $1::uuid) AS held LIMIT 1)
UNION ALL
SELECT 2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, request_xid::text
FROM stock.horizon WHERE at IS NOT NULL)";
  return {"request_held", fmt::format(kText, fmt::arg("dating", dating_row(Role::kPrimary, "")))};
}

Statement make_tail_beginning() {
  constexpr std::string_view kText = R"({dating}
UNION ALL
(SELECT number, NULL, NULL, NULL, NULL, NULL, incarnation, NULL, snapshot::text
 FROM stock.heartbeat
 WHERE incarnation = {incarnation}
   AND (stamp >= transaction_timestamp() - make_interval(secs => $1::double precision)
        OR number = (SELECT max(number) FROM stock.heartbeat))
 ORDER BY number LIMIT 1))";
  return {"tail_beginning", fmt::format(kText, fmt::arg("dating", dating_row(Role::kPrimary, "")),
                                        fmt::arg("incarnation", kIncarnation))};
}

}  // namespace

const Statement& levels_of_keys(Role role) {
  static const PerRole statements(make_levels_of_keys);
  return statements.of(role);
}

const Statement& level_page(Role role) {
  static const PerRole statements(make_level_page);
  return statements.of(role);
}

const Statement& level_walk(Role role) {
  static const PerRole statements(make_level_walk);
  return statements.of(role);
}

const Statement& movement_page(Role role) {
  static const PerRole statements(make_movement_page);
  return statements.of(role);
}

const Statement& location_page(Role role) {
  static const PerRole statements(make_location_page);
  return statements.of(role);
}

const Statement& levels_at(Role role) {
  static const PerRole statements(make_levels_at);
  return statements.of(role);
}

const Statement& levels_of_version(Role role) {
  static const PerRole statements(make_levels_of_version);
  return statements.of(role);
}

const Statement& pulse() {
  static const Statement statement{"pulse", dating_row(Role::kPrimary, "")};
  return statement;
}

const Statement& histories() {
  static const Statement statement = make_histories();
  return statement;
}

const Statement& newest_versions() {
  static const Statement statement = make_newest_versions();
  return statement;
}

const Statement& writers() {
  static const Statement statement{"writers", std::string(kWriters)};
  return statement;
}

const Statement& keys_after() {
  static const Statement statement = make_keys_after();
  return statement;
}

const Statement& request_held() {
  static const Statement statement = make_request_held();
  return statement;
}

const Statement& tail_beginning() {
  static const Statement statement = make_tail_beginning();
  return statement;
}

const Statement& moves_since() {
  static const Statement statement = make_moves_since();
  return statement;
}

const Statement& all_moves_since() {
  static const Statement statement{"all_moves_since",
                                   "DECLARE moves NO SCROLL CURSOR FOR " + moves("")};
  return statement;
}

const Statement& ledger() {
  static const Statement statement{"ledger", R"(
SELECT id, (system_identifier = (SELECT system_identifier FROM pg_control_system())
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND relation = tableoid)::int
FROM stock.ledger)"};
  return statement;
}

const Statement& newest_migration() {
  static const Statement statement{
      "newest_migration", "SELECT id FROM public.gorp_migrations ORDER BY id DESC LIMIT 1"};
  return statement;
}

}  // namespace stock::postgres::sql

#include <fmt/format.h>

#include "stock/postgres/sql.h"
#include "stock/postgres/sql_parts.h"

namespace stock::postgres::sql {
namespace {

// What had not begun at $1 and has by {below}, and what was running then; some of it may still be
// invisible. ORDER BY and LIMIT keep the planner to the index, whatever it believes.
constexpr std::string_view kSince = R"(
  (SELECT {columns} FROM stock.movement
   WHERE xid >= pg_snapshot_xmax($1::pg_snapshot) AND xid < pg_snapshot_xmax({below})
   ORDER BY xid LIMIT {limit})
  UNION ALL
  SELECT moved.* FROM pg_snapshot_xip($1::pg_snapshot) AS running (xid)
  CROSS JOIN LATERAL (
    SELECT {columns} FROM stock.movement WHERE movement.xid = running.xid OFFSET 0) AS moved
  WHERE pg_visible_in_snapshot(running.xid, {below}))";

std::string since(std::string_view columns, std::string_view below, std::string_view limit) {
  return fmt::format(kSince, fmt::arg("columns", columns), fmt::arg("below", below),
                     fmt::arg("limit", limit));
}

Statement make_keys_moved_since() {
  constexpr std::string_view kText = R"({dating}
UNION ALL
SELECT key.position, (NOT deleted)::int, version, as_of,
       on_hand, reserved, committed, safety_stock, backorder_limit, {expires}, {undated}
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS key (sku, location, position)
CROSS JOIN LATERAL (
  SELECT xid, deleted, version, {as_of} AS as_of,
         on_hand, reserved, committed, safety_stock, backorder_limit, earliest_expire_at
  FROM stock.movement WHERE sku = key.sku AND location = key.location
  ORDER BY version DESC LIMIT 1) AS newest
WHERE NOT pg_visible_in_snapshot(newest.xid, $3::pg_snapshot))";
  return {"keys_moved_since",
          fmt::format(kText, fmt::arg("undated", kUndated), fmt::arg("expires", kExpires),
                      fmt::arg("dating", dating_row(Role::kPrimary,
                                                    ", NULL::bigint, NULL::bigint, NULL::bigint")),
                      fmt::arg("as_of", movement_committed_at()))};
}

Statement make_location_moved_since() {
  constexpr std::string_view kText = R"({dating}
UNION ALL
(SELECT 1, (NOT deleted)::int, version, as_of,
        on_hand, reserved, committed, safety_stock, backorder_limit, sku, location,
        {expires}, {undated}
 FROM (
   SELECT DISTINCT ON (sku) sku, version FROM ({since}) AS moved
   WHERE location = $2::text
   ORDER BY sku, version DESC LIMIT $3::bigint) AS newest
 CROSS JOIN LATERAL (
   SELECT deleted, {as_of} AS as_of, on_hand, reserved, committed, safety_stock, backorder_limit,
          location, earliest_expire_at
   FROM stock.movement
   WHERE sku = newest.sku AND location = $2::text AND version = newest.version
   LIMIT 1) AS movement
 ORDER BY sku))";
  return {"location_moved_since",
          fmt::format(kText, fmt::arg("undated", kUndated),
                      fmt::arg("since", since("sku, location, version", "pg_current_snapshot()",
                                              "1000000000")),
                      fmt::arg("expires", kExpires),
                      fmt::arg("dating", dating_row(Role::kPrimary,
                                                    ", NULL::bigint, NULL::bigint, NULL::text,"
                                                    " NULL::text, NULL::bigint")),
                      fmt::arg("as_of", movement_committed_at()))};
}

constexpr std::string_view kMovementPadding =
    ", (SELECT movement_xid::text::bigint FROM stock.horizon WHERE at IS NOT NULL), NULL::bigint,"
    " NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint,"
    " NULL::bigint, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text,"
    " NULL::text, NULL::text";

// The movements of page (sku, location, version).
std::string movements_of_page() {
  return fmt::format(
      R"(
SELECT row_number() OVER (ORDER BY page.sku, page.location, page.version),
       version, committed_at,
       on_hand_delta, reserved_delta, committed_delta, safety_stock_delta, backorder_limit_delta,
       on_hand, reserved, committed, safety_stock, backorder_limit,
       deleted::int, kind, reason, reference, actor, request::text, reservation::text,
       sku, location, {undated}
FROM page
CROSS JOIN LATERAL (
  SELECT {committed_at} AS committed_at,
         on_hand_delta, reserved_delta, committed_delta, safety_stock_delta,
         backorder_limit_delta,
         on_hand, reserved, committed, safety_stock, backorder_limit,
         deleted, kind, reason, reference, actor, request, reservation
  FROM stock.movement
  WHERE sku = page.sku AND location = page.location AND version = page.version
  LIMIT 1) AS movement)",
      fmt::arg("undated", kUndated), fmt::arg("committed_at", movement_committed_at()));
}

Statement make_delta_by_xid() {
  constexpr std::string_view kText = R"(
WITH page AS MATERIALIZED (
  SELECT sku, location, version FROM ({since}) AS moved
  WHERE pg_visible_in_snapshot(xid, $2::pg_snapshot)
    AND ($3::text = '' OR location = $3::text)
    AND (sku, location, version) > ($4::text, $5::text, $6::bigint)
  ORDER BY sku, location, version LIMIT $7::bigint)
{dating}
UNION ALL
{movements}
ORDER BY 1)";
  return {"delta_by_xid",
          fmt::format(kText,
                      fmt::arg("since", since("sku, location, version, xid", "$2::pg_snapshot",
                                              "$8::bigint")),
                      fmt::arg("dating", dating_row(Role::kPrimary, kMovementPadding)),
                      fmt::arg("movements", movements_of_page()))};
}

Statement make_delta_by_key() {
  constexpr std::string_view kText = R"(
WITH walked AS MATERIALIZED (
  SELECT sku, location, version, xid FROM stock.movement
  WHERE (sku, location, version) > ($4::text, $5::text, $6::bigint)
  ORDER BY sku, location, version LIMIT $8::bigint),
page AS MATERIALIZED (
  SELECT sku, location, version FROM walked
  WHERE pg_visible_in_snapshot(xid, $2::pg_snapshot)
    AND NOT pg_visible_in_snapshot(xid, $1::pg_snapshot)
    AND ($3::text = '' OR location = $3::text)
  ORDER BY sku, location, version LIMIT $7::bigint)
{dating}
UNION ALL
{movements}
UNION ALL
(SELECT -1, version, (SELECT count(*) FROM walked),
        NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
        NULL, NULL, NULL, NULL, NULL, NULL, NULL, sku, location, {undated}
 FROM walked ORDER BY sku DESC, location DESC, version DESC LIMIT 1)
ORDER BY 1)";
  return {"delta_by_key",
          fmt::format(kText, fmt::arg("undated", kUndated),
                      fmt::arg("dating", dating_row(Role::kPrimary, kMovementPadding)),
                      fmt::arg("movements", movements_of_page()))};
}

}  // namespace

const Statement& keys_moved_since() {
  static const Statement statement = make_keys_moved_since();
  return statement;
}

const Statement& location_moved_since() {
  static const Statement statement = make_location_moved_since();
  return statement;
}

const Statement& delta_by_xid() {
  static const Statement statement = make_delta_by_xid();
  return statement;
}

const Statement& delta_by_key() {
  static const Statement statement = make_delta_by_key();
  return statement;
}

const Statement& delta_size() {
  static const Statement statement{
      "delta_size", fmt::format("SELECT count(*) FROM ({}\n LIMIT $3::bigint) AS moved",
                                since("xid", "$2::pg_snapshot", "$3::bigint"))};
  return statement;
}

const Statement& heartbeat_between() {
  static const Statement statement{"heartbeat_between", fmt::format(R"(
SELECT snapshot::text FROM stock.heartbeat
WHERE incarnation = {}
  AND pg_snapshot_xmax(snapshot) > pg_snapshot_xmax($1::pg_snapshot)
  AND pg_snapshot_xmax(snapshot) < pg_snapshot_xmax($2::pg_snapshot)
ORDER BY number LIMIT 1 OFFSET $3::bigint)",
                                                                    kIncarnation)};
  return statement;
}

const Statement& last_heartbeat_of() {
  static const Statement statement{"last_heartbeat_of", R"(
SELECT snapshot::text FROM stock.heartbeat WHERE incarnation = $1::bigint
ORDER BY number DESC LIMIT 1 OFFSET 1)"};
  return statement;
}

}  // namespace stock::postgres::sql

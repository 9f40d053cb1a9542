#include <fmt/format.h>

#include "stock/postgres/sql.h"
#include "stock/postgres/sql_parts.h"

namespace stock::postgres::sql {
namespace {

// So far back is looked for a claim without a version.
constexpr int kLookedAt = 1000;

constexpr std::string_view kColumns =
    "witness, instance, sku, location, cohort, extent, claim_exists, claim_counts, claim_version, "
    "sold_from, sold_until, sent_at, believed_since, true_through, age, arrived_after, "
    "arrived_before, sent_after, sent_before, through_after, through_before, skew, "
    "skew_uncertainty, incarnation, lies";

// A version that its own transaction replaced was never visible. (An adopted ledger's movements all
// carry the transaction 3.) Newest first, so that looking ends with the first one that is so.
Statement make_find_versions() {
  constexpr std::string_view kText = R"(
WITH found AS MATERIALIZED (
  SELECT wanted.*, by_then.version AS by_then, ever.version AS ever
  FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
              $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[]) WITH ORDINALITY
    AS wanted (sku, location, extent, is_there, on_hand, reserved, committed, safety_stock,
               backorder_limit, by, position)
  LEFT JOIN LATERAL ({so} AND at <= 'epoch'::timestamptz + wanted.by * interval '1 microsecond'
    ORDER BY version DESC LIMIT 1) AS by_then ON true
  LEFT JOIN LATERAL ({so} ORDER BY version DESC LIMIT 1) AS ever
    ON true)
SELECT position, by_then, ever, CASE WHEN ever IS NULL THEN (
  SELECT version FROM stock.movement WHERE sku = found.sku AND location = found.location
  ORDER BY version DESC OFFSET {looked_at} - 1 LIMIT 1) END
FROM found)";
  constexpr std::string_view kSo = R"(
    SELECT version FROM (
      SELECT *, lag(xid) OVER (ORDER BY version DESC) AS next_xid,
             CASE WHEN deleted THEN 0 ELSE on_hand - reserved - committed - safety_stock END
               AS available
      FROM stock.movement WHERE sku = wanted.sku AND location = wanted.location
      ORDER BY version DESC LIMIT {looked_at}) AS its
    WHERE (next_xid IS NULL OR next_xid <> xid OR xid = '3')
      AND CASE wanted.extent
        WHEN 'available' THEN its.available = wanted.on_hand
        WHEN 'in_stock' THEN (its.available > 0) = (wanted.on_hand > 0)
        ELSE deleted = (wanted.is_there = 0) AND (deleted OR (its.on_hand, its.reserved,
          its.committed, its.safety_stock, its.backorder_limit) = (wanted.on_hand, wanted.reserved,
          wanted.committed, wanted.safety_stock, wanted.backorder_limit)) END)";
  const std::string so = fmt::format(kSo, fmt::arg("looked_at", kLookedAt));
  return {"find_versions",
          fmt::format(kText, fmt::arg("so", so), fmt::arg("looked_at", kLookedAt))};
}

// A movement is made before it is committed, by no more than the longest transaction takes.
Statement make_sold_units() {
  constexpr std::string_view kText = R"(
SELECT wanted.position,
       coalesce(sum(sold.units) FILTER (WHERE sold.seen_by <= wanted.through), 0)::bigint,
       coalesce(sum(sold.units), 0)::bigint,
       coalesce((SELECT {horizon} > wanted.from_us FROM stock.horizon), false)::int
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[]) WITH ORDINALITY
  AS wanted (sku, location, from_us, until_us, through, position)
LEFT JOIN LATERAL (
  SELECT committed_delta AS units, {committed_at} AS committed_at, {seen_by} AS seen_by
  FROM stock.movement
  LEFT JOIN LATERAL (
    SELECT seen_by FROM stock.commit WHERE commit.xid = movement.xid LIMIT 1) AS recorded ON true
  WHERE sku = wanted.sku AND (wanted.location = '' OR location = wanted.location)
    AND kind = 'COMMIT'
    AND at >= 'epoch'::timestamptz + wanted.from_us * interval '1 microsecond' - interval '1 hour'
    AND at < 'epoch'::timestamptz + wanted.until_us * interval '1 microsecond') AS sold
  ON sold.committed_at >= wanted.from_us AND sold.committed_at < wanted.until_us
GROUP BY wanted.position, wanted.from_us, wanted.through)";
  return {"sold_units", fmt::format(kText, fmt::arg("horizon", micros("at")),
                                    fmt::arg("committed_at", movement_committed_at()),
                                    fmt::arg("seen_by", micros("recorded.seen_by")))};
}

Statement make_testimonies_of() {
  constexpr std::string_view kText = R"(
SELECT {columns} FROM (
  SELECT *, row_number() OVER (PARTITION BY witness ORDER BY lies DESC, sent_before DESC) AS place
  FROM stock.testimony WHERE sku = $1 AND (location = $2 OR location = '')) AS told
WHERE place <= $3::bigint
ORDER BY witness, lies DESC, sent_before DESC)";
  constexpr std::string_view kRead =
      "witness, instance, sku, location, cohort, extent, claim_exists::int, claim_counts[1], "
      "claim_counts[2], claim_counts[3], claim_counts[4], claim_counts[5], claim_version, "
      "sold_from, sold_until, sent_at, believed_since, true_through, age, arrived_after, "
      "arrived_before, sent_after, sent_before, through_after, through_before, skew, "
      "skew_uncertainty, incarnation, lies::int";
  return {"testimonies_of", fmt::format(kText, fmt::arg("columns", kRead))};
}

Statement make_keep_testimonies() {
  constexpr std::string_view kText = R"(
INSERT INTO stock.testimony ({columns})
SELECT witness, instance, sku, location, cohort, extent, is_there = 1,
       ARRAY[on_hand, reserved, committed, safety_stock, backorder_limit], version, sold_from,
       sold_until, sent_at, believed_since, true_through, age, arrived_after, arrived_before,
       sent_after, sent_before, through_after, through_before, skew, skew_uncertainty, incarnation,
       lies = 1
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
            $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[],
            $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[],
            $19::bigint[], $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[],
            $24::bigint[], $25::bigint[], $26::bigint[], $27::bigint[], $28::bigint[],
            $29::bigint[])
  AS told (witness, instance, sku, location, cohort, extent, is_there, on_hand, reserved, committed,
           safety_stock, backorder_limit, version, sold_from, sold_until, sent_at, believed_since,
           true_through, age, arrived_after, arrived_before, sent_after, sent_before, through_after,
           through_before, skew, skew_uncertainty, incarnation, lies)
ORDER BY witness, instance, sku, location, cohort, sold_from
ON CONFLICT (witness, instance, sku, location, cohort, sold_from) DO UPDATE
SET (extent, claim_exists, claim_counts, claim_version, sold_until, sent_at, believed_since,
     true_through, age, arrived_after, arrived_before, sent_after, sent_before, through_after,
     through_before, skew, skew_uncertainty, incarnation, lies)
  = (excluded.extent, excluded.claim_exists, excluded.claim_counts, excluded.claim_version,
     excluded.sold_until, excluded.sent_at, excluded.believed_since, excluded.true_through,
     excluded.age, excluded.arrived_after, excluded.arrived_before, excluded.sent_after,
     excluded.sent_before, excluded.through_after, excluded.through_before, excluded.skew,
     excluded.skew_uncertainty, excluded.incarnation, excluded.lies)
WHERE excluded.sent_before >= testimony.sent_before
   OR excluded.incarnation <> testimony.incarnation)";
  return {"keep_testimonies", fmt::format(kText, fmt::arg("columns", kColumns))};
}

// By the whole key where they were told at the same instant: no more than so many stay.
constexpr std::string_view kPrune = R"(
WITH gone AS (
  DELETE FROM stock.testimony USING (
    SELECT each.witness, last.*
    FROM (SELECT DISTINCT witness FROM stock.testimony) AS each
    CROSS JOIN LATERAL (
      SELECT sent_before, instance, sku, location, cohort, sold_from
      FROM stock.testimony AS its WHERE its.witness = each.witness
      ORDER BY sent_before DESC, instance DESC, sku DESC, location DESC, cohort DESC,
               sold_from DESC
      OFFSET $1::bigint - 1 LIMIT 1) AS last) AS bound
  WHERE testimony.witness = bound.witness
    AND (testimony.sent_before, testimony.instance, testimony.sku, testimony.location,
         testimony.cohort, testimony.sold_from)
      < (bound.sent_before, bound.instance, bound.sku, bound.location, bound.cohort,
         bound.sold_from)
  RETURNING testimony.witness)
SELECT witness, count(*) - (SELECT count(*) FROM gone WHERE gone.witness = testimony.witness)
FROM stock.testimony GROUP BY witness)";

}  // namespace

const Statement& find_versions() {
  static const Statement statement = make_find_versions();
  return statement;
}

const Statement& sold_units() {
  static const Statement statement = make_sold_units();
  return statement;
}

const Statement& testimonies_of() {
  static const Statement statement = make_testimonies_of();
  return statement;
}

const Statement& keep_testimonies() {
  static const Statement statement = make_keep_testimonies();
  return statement;
}

const Statement& prune_testimonies() {
  static const Statement statement{"prune_testimonies", std::string(kPrune)};
  return statement;
}

}  // namespace stock::postgres::sql

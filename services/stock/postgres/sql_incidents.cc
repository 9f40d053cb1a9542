#include <fmt/format.h>

#include "stock/postgres/sql.h"
#include "stock/postgres/sql_parts.h"

namespace stock::postgres::sql {
namespace {

std::string counts_in(std::string_view array) {
  return fmt::format("{0}[1], {0}[2], {0}[3], {0}[4], {0}[5]", array);
}

std::string columns() {
  return fmt::format(
      "id, revision, layer, verdict, sku, location, claim_exists::int, claim_version, {}, "
      "claim_as_of, claim_true_through, {}, {}, units, versions, {}, {}, {}, superseded_by, "
      "truth_exists::int, truth_version, {}, witnesses, standing, standing_sku, standing_location, "
      "keys, grouped::int, {}, {}, {}, merged_into, claim_extent, claim_heartbeat, claim_expiry, "
      "false_date",
      counts_in("claim_counts"), micros("asked_after"), micros("asked_before"),
      "(extract(epoch FROM behind) * 1000000)::bigint", micros("true_from"), micros("true_until"),
      counts_in("truth_counts"), micros("opened_at"), micros("last_seen_at"), micros("closed_at"));
}

// NULL where there is none.
std::string instant(int parameter) {
  return fmt::format(
      "'epoch'::timestamptz + nullif(${}::text, '')::bigint * interval '1 microsecond'", parameter);
}

}  // namespace

const Statement& lock_incidents() {
  static const Statement statement{"lock_incidents", "SELECT pg_advisory_xact_lock($1::bigint)"};
  return statement;
}

const Statement& open_incidents() {
  static const Statement statement{
      "open_incidents",
      fmt::format("SELECT {} FROM stock.incident WHERE closed_at IS NULL ORDER BY id", columns())};
  return statement;
}

const Statement& newest_incident() {
  static const Statement statement{
      "newest_incident",
      "SELECT (SELECT id FROM stock.incarnation), coalesce(max(revision), 0) FROM stock.incident"};
  return statement;
}

const Statement& incidents_changed_since() {
  static const Statement statement{
      "incidents_changed_since",
      fmt::format("SELECT {} FROM stock.incident WHERE revision > $1::bigint "
                  "ORDER BY revision LIMIT $2::int",
                  columns())};
  return statement;
}

const Statement& incident_page() {
  static const Statement statement{"incident_page", fmt::format(R"(
SELECT {} FROM stock.incident
WHERE ($1::int = 0 OR closed_at IS NULL) AND merged_into = 0
  AND ($2::text = '' OR EXISTS (SELECT FROM unnest(witnesses) AS w WHERE split_part(w, '@', 1) = $2))
  AND ($3::text = '' OR verdict = $3)
  AND ($4::text = '' OR sku = $4 OR $4 = ANY (standing_sku))
  AND ($5::bigint = 0 OR id < $5)
ORDER BY id DESC LIMIT $6::int)",
                                                                columns())};
  return statement;
}

const Statement& open_incident() {
  static const Statement statement{
      "open_incident", fmt::format(R"(
INSERT INTO stock.incident
SELECT nextval('stock.incident_id'), nextval('stock.incident_revision'), $1, $2, $3, $4,
       $5::int = 1, $6::bigint, $7::bigint[], $8::bigint, $9::bigint, {}, {}, $12::bigint,
       $13::bigint, $14::bigint * interval '1 microsecond', {}, {}, $17::bigint, $18::int = 1,
       $19::bigint, $20::bigint[], $21::text[], $22::text[], $23::text[], $24::text[], $25::bigint,
       $26::int = 1, {}, {}, {}, 0, $30, $31::bigint, $32::bigint, $33
RETURNING id, revision)",
                                   instant(10), instant(11), instant(15), instant(16), instant(27),
                                   instant(28), instant(29))};
  return statement;
}

const Statement& change_incident() {
  static const Statement statement{"change_incident", fmt::format(R"(
UPDATE stock.incident
SET revision = nextval('stock.incident_revision'), witnesses = $2::text[], standing = $3::text[],
    standing_sku = $4::text[], standing_location = $5::text[], keys = $6::bigint,
    grouped = $7::int = 1, last_seen_at = {}, closed_at = {}, merged_into = $10::bigint
WHERE id = $1::bigint
RETURNING id, revision)",
                                                                  instant(8), instant(9))};
  return statement;
}

const Statement& prune_incidents() {
  static const Statement statement{
      "prune_incidents",
      "DELETE FROM stock.incident "
      "WHERE closed_at < clock_timestamp() - $1::bigint * interval '1 millisecond'"};
  return statement;
}

}  // namespace stock::postgres::sql

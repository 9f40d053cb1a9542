#include <fmt/format.h>

#include "stock/postgres/sql.h"
#include "stock/postgres/sql_parts.h"

namespace stock::postgres::sql {
namespace {

// Whole reservations, one row per line; {from} is of stock.reservation's columns.
std::string lines_of(std::string_view from, std::string_view before = "",
                     std::string_view after = "") {
  return fmt::format(R"(
SELECT {before}reservation.id::text, state, revision,
       (extract(epoch FROM created_at) * 1000000)::bigint,
       (extract(epoch FROM updated_at) * 1000000)::bigint,
       (extract(epoch FROM expire_at) * 1000000)::bigint,
       reference, actor, line.sku, line.location, line.quantity, line.fulfilled,
       line.expired::int{after}
FROM ({from}) AS reservation
CROSS JOIN LATERAL unnest(skus, locations, quantities, fulfilled, expired) WITH ORDINALITY
  AS line (sku, location, quantity, fulfilled, expired, position))",
                     fmt::arg("from", from), fmt::arg("before", before), fmt::arg("after", after));
}

// Numbered by line: the dating row is 0.
std::string dated(Role role, std::string_view from) {
  return fmt::format(
      "{}UNION ALL\n({} ORDER BY reservation.id, position)",
      dating_row(role,
                 ", NULL::text, NULL::text, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint,"
                 " NULL::text, NULL::text, NULL::text, NULL::text, NULL::bigint, NULL::bigint,"
                 " NULL::int"),
      lines_of(from,
               "position, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint,"
               " NULL::bigint, NULL::bigint, ",
               fmt::format(", {}", kUndated)));
}

Statement make_reservation_of(Role role) {
  return {"reservation_of", dated(role, R"(
  SELECT * FROM stock.reservation WHERE id = $1::uuid
    AND id > $2::uuid AND $3::text = '' AND $4::text = '' AND $5::text = '' LIMIT $6::bigint)")};
}

// In order of id, of the index; the rest is filtered. What the leader has not swept yet is expired
// too.
Statement make_reservation_page(Role role) {
  return {"reservation_page", dated(role, R"(
  SELECT * FROM stock.reservation AS found
  WHERE id > $2::uuid AND id >= $1::uuid
    AND ($3::text = '' OR $3::text = CASE
      WHEN state = 'HELD' AND expire_at <= transaction_timestamp() THEN 'EXPIRED' ELSE state END)
    AND ($4::text = '' OR EXISTS (
      SELECT FROM unnest(found.skus, found.locations) AS line (sku, location)
      WHERE line.sku = $4::text AND line.location = $5::text))
  ORDER BY id LIMIT $6::bigint)")};
}

}  // namespace

const Statement& reservation_of(Role role) {
  static const PerRole statements(make_reservation_of);
  return statements.of(role);
}

const Statement& reservation_page(Role role) {
  static const PerRole statements(make_reservation_page);
  return statements.of(role);
}

const Statement& reservations() {
  static const Statement statement{"reservations", lines_of(R"(
  SELECT found.* FROM unnest($1::uuid[]) AS wanted (id)
  CROSS JOIN LATERAL (
    SELECT * FROM stock.reservation WHERE id = wanted.id LIMIT 1) AS found)")};
  return statement;
}

// Few: what is due is swept within a second. The index on what is due has them in order of time; of
// the keys, those that are locked are looked for in each.
const Statement& due_holds() {
  static const Statement statement{"due_holds",
                                   fmt::format("{} ORDER BY reservation.id, position", lines_of(R"(
  SELECT * FROM stock.reservation AS due
  WHERE state = 'HELD'
    AND expire_at <= 'epoch'::timestamptz + $3::bigint * interval '1 microsecond'
    AND EXISTS (
      SELECT FROM unnest(due.skus, due.locations, due.expired) AS line (sku, location, expired)
      WHERE NOT line.expired AND (line.sku, line.location) IN (
        SELECT * FROM unnest($1::text[], $2::text[])))
  ORDER BY expire_at LIMIT $4::bigint)"))};
  return statement;
}

const Statement& next_expiry() {
  static const Statement statement{"next_expiry", R"(
SELECT (extract(epoch FROM expire_at) * 1000000)::bigint FROM stock.reservation
WHERE state = 'HELD' AND expire_at > 'epoch'::timestamptz + $1::bigint * interval '1 microsecond'
ORDER BY expire_at LIMIT 1)"};
  return statement;
}

const Statement& ended_holds() {
  static const Statement statement{"ended_holds", R"(
SELECT (extract(epoch FROM expire_at) * 1000000)::bigint, id FROM stock.reservation
WHERE state = 'HELD' AND expire_at <= clock_timestamp()
  AND (expire_at, id) > ('epoch'::timestamptz + $2::bigint * interval '1 microsecond', $3::uuid)
ORDER BY expire_at, id LIMIT $1::bigint)"};
  return statement;
}

const Statement& count_holds() {
  static const Statement statement{"count_holds", R"(
SELECT count(*) FROM (
  SELECT FROM stock.reservation WHERE state = 'HELD' LIMIT $1::bigint) AS held)"};
  return statement;
}

// In order of id, so that two that expire lines of the same holds wait for each other in one
// direction only.
const Statement& lock_reservations() {
  static const Statement statement{"lock_reservations", R"(
SELECT FROM stock.reservation WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE)"};
  return statement;
}

const Statement& expire_lines() {
  static const Statement statement{"expire_lines", R"(
WITH lapsed AS MATERIALIZED (
  SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[]) AS lapsed (id, sku, location))
UPDATE stock.reservation SET expired = (
  SELECT array_agg(line.expired OR EXISTS (
           SELECT FROM lapsed WHERE lapsed.id = reservation.id AND lapsed.sku = line.sku
             AND lapsed.location = line.location) ORDER BY line.position)
  FROM unnest(reservation.skus, reservation.locations, reservation.expired) WITH ORDINALITY
    AS line (sku, location, expired, position))
WHERE id IN (SELECT id FROM lapsed))"};
  return statement;
}

namespace {

// Arrays of different lengths cannot be rows of one array: they travel as texts.
constexpr const char* kReservations = R"(
  SELECT id, state, revision,
         'epoch'::timestamptz + updated * interval '1 microsecond' AS updated_at,
         'epoch'::timestamptz + expires * interval '1 microsecond' AS expire_at,
         skus::text[], locations::text[], quantities::bigint[], fulfilled::bigint[],
         expired::boolean[], digest, reference, actor
  FROM (SELECT
    unnest($1::uuid[]) AS id, unnest($2::text[]) AS state, unnest($3::bigint[]) AS revision,
    unnest($4::bigint[]) AS updated, unnest($5::bigint[]) AS expires, unnest($6::text[]) AS skus,
    unnest($7::text[]) AS locations, unnest($8::text[]) AS quantities,
    unnest($9::text[]) AS fulfilled, unnest($10::text[]) AS expired,
    unnest($11::text[]) AS digest, unnest($12::text[]) AS reference,
    unnest($13::text[]) AS actor) AS changed)";

}  // namespace

const Statement& insert_reservations() {
  static const Statement statement{"insert_reservations", fmt::format(R"(
INSERT INTO stock.reservation (
  id, state, revision, created_at, updated_at, expire_at, digest,
  skus, locations, quantities, fulfilled, expired, reference, actor)
SELECT id, state, revision, updated_at, updated_at, expire_at, decode(digest, 'hex'),
       skus, locations, quantities, fulfilled, expired, reference, actor
FROM ({}) AS created)",
                                                                      kReservations)};
  return statement;
}

const Statement& insert_reservation() {
  static const Statement statement{"insert_reservation", R"(
INSERT INTO stock.reservation (
  id, state, skus, locations, quantities, fulfilled, expired, digest, reference, actor,
  revision, created_at, updated_at, expire_at)
SELECT t[1]::uuid, t[2], t[3]::text[], t[4]::text[], t[5]::bigint[], t[6]::bigint[],
       t[7]::boolean[], decode(t[8], 'hex'), t[9], t[10],
       n[1], updated_at, updated_at, 'epoch'::timestamptz + n[3] * interval '1 microsecond'
FROM (SELECT $1::text[] AS t, $2::bigint[] AS n) AS created
CROSS JOIN LATERAL (SELECT 'epoch'::timestamptz + n[2] * interval '1 microsecond' AS updated_at)
  AS updated)"};
  return statement;
}

const Statement& update_reservations() {
  static const Statement statement{"update_reservations", fmt::format(R"(
WITH updated AS (
  UPDATE stock.reservation SET
    state = changed.state, revision = changed.revision, updated_at = changed.updated_at,
    expire_at = changed.expire_at, skus = changed.skus, locations = changed.locations,
    quantities = changed.quantities, fulfilled = changed.fulfilled, expired = changed.expired
  FROM ({}) AS changed WHERE reservation.id = changed.id
  RETURNING 1)
SELECT stock.expect($14::bigint, (SELECT count(*) FROM updated), 'reservations'))",
                                                                      kReservations)};
  return statement;
}

}  // namespace stock::postgres::sql

#include <fmt/format.h>

#include "stock/postgres/sql.h"
#include "stock/postgres/sql_parts.h"

namespace stock::postgres::sql {
namespace {

std::string columns() {
  return fmt::format(
      "name, enabled::int, {}, switched_by, switched_why, repair, {}, repair_by, repair_why",
      micros("switched_at"), micros("repair_at"));
}

}  // namespace

const Statement& layer_settings() {
  static const Statement statement{
      "layer_settings", fmt::format("SELECT {} FROM stock.layer ORDER BY name", columns())};
  return statement;
}

// What is so already keeps who made it so.
const Statement& change_layer() {
  static const Statement statement{"change_layer",
                                   fmt::format(R"(
UPDATE stock.layer SET
  enabled = coalesce(wanted.enabled, layer.enabled),
  switched_at = CASE WHEN wanted.switches THEN now() ELSE switched_at END,
  switched_by = CASE WHEN wanted.switches THEN $4::text ELSE switched_by END,
  switched_why = CASE WHEN wanted.switches THEN $5::text ELSE switched_why END,
  repair = coalesce(wanted.repair, layer.repair),
  repair_at = CASE WHEN wanted.repairs THEN now() ELSE repair_at END,
  repair_by = CASE WHEN wanted.repairs THEN $4::text ELSE repair_by END,
  repair_why = CASE WHEN wanted.repairs THEN $5::text ELSE repair_why END
FROM (
  SELECT enabled, repair, enabled <> old.is_on AS switches, repair <> old.policy AS repairs
  FROM (SELECT nullif($2::text, '')::boolean AS enabled, nullif($3::text, '') AS repair) AS given
  CROSS JOIN (SELECT enabled AS is_on, repair AS policy FROM stock.layer WHERE name = $1::text
              FOR UPDATE) AS old) AS wanted
WHERE name = $1::text
RETURNING name, layer.enabled::int, {}, switched_by, switched_why, layer.repair, {}, repair_by,
          repair_why)",
                                               micros("switched_at"), micros("repair_at"))};
  return statement;
}

}  // namespace stock::postgres::sql

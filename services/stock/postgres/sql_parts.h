// What the texts of several statements have in common. Defined in sql_reading.cc.
#pragma once

#include <string>
#include <string_view>

#include "stock/postgres/asker.h"

namespace stock::postgres::sql {

// The row that dates an answer; `padding`: for the columns that the statement's other rows have
// between its seven and its two last ones.
std::string dating_row(Role role, std::string_view padding);
// The ledger's incarnation. A ledger that was loaded from a dump has none: its row names the table
// that was dumped.
inline constexpr std::string_view kIncarnation =
    "(SELECT incarnation.id FROM stock.incarnation, stock.ledger"
    " WHERE ledger.relation = ledger.tableoid)";
// The last columns of every row but the dating one.
inline constexpr std::string_view kUndated = "NULL::bigint, NULL::text";
// Just before those, where there is a level or movement: its earliest expiry.
inline constexpr std::string_view kExpires =
    "(extract(epoch FROM earliest_expire_at) * 1000000)::bigint";
// One for each role: a statement's address is its identity.
struct PerRole {
  template <typename Make>
  explicit PerRole(Make make) : primary(make(Role::kPrimary)), replica(make(Role::kReplica)) {}
  [[nodiscard]] const Statement& of(Role role) const {
    return role == Role::kPrimary ? primary : replica;
  }
  Statement primary;
  Statement replica;
};

// An instant as it travels: whole microseconds since the epoch.
std::string micros(std::string_view instant);
// When a row of stock.movement, under that name, was committed.
std::string movement_committed_at();

}  // namespace stock::postgres::sql

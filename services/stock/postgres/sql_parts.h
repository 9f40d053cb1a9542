// What the texts of several statements have in common. Defined in sql_reading.cc.
#pragma once

#include <string>
#include <string_view>

#include "stock/postgres/asker.h"

namespace stock::postgres::sql {

// The row that dates an answer; `padding`: for the columns that the statement's other rows have
// between its seven and its two last ones.
std::string dating_row(Role role, std::string_view padding);
// The last columns of every row but the dating one.
inline constexpr std::string_view kUndated = "NULL::bigint, NULL::text";
// When a row of stock.movement, under that name, was committed.
std::string movement_committed_at();

}  // namespace stock::postgres::sql

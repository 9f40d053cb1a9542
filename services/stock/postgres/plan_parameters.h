// What a plan writes, as the statements that write it and the parameters that they take.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "stock/ledger/store.h"
#include "stock/postgres/connection.h"

namespace stock::postgres {

// Nothing, where there is nothing of that kind to be written.
std::optional<Step> move_step(const ledger::Plan& plan);
std::optional<Step> remember_step(const ledger::Plan& plan);
std::optional<Step> create_step(const ledger::Plan& plan);
std::optional<Step> update_step(const ledger::Plan& plan);
// Of sql::expire_lines(); the first one is that of sql::lock_reservations().
std::vector<std::string> lapsed_columns(std::span<const ledger::LapsedLine> lines);

}  // namespace stock::postgres

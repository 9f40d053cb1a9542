// What a plan writes, as the parameters that the statements take.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "stock/ledger/store.h"

namespace stock::postgres {

// Of sql::move(), and of sql::move_and_create() if levels are to be `created`.
struct MoveParameters {
  std::vector<std::string> columns;
  bool created = false;
};
MoveParameters move_parameters(const ledger::Plan& plan);
// Of sql::remember(). Empty: no request is.
std::vector<std::string> remember_parameters(const ledger::Plan& plan);
// Of sql::insert_reservations() or sql::update_reservations(). Empty: there is none of those.
std::vector<std::string> created_parameters(const ledger::Plan& plan);
std::vector<std::string> updated_parameters(const ledger::Plan& plan);
// Of sql::expire_lines(); the first one is that of sql::lock_reservations().
std::vector<std::string> lapsed_columns(std::span<const ledger::LapsedLine> lines);

}  // namespace stock::postgres

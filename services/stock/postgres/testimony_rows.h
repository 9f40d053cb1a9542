// Testimonies: out of result rows, and into parameters.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "stock/drift/archive.h"
#include "stock/postgres/array_literal.h"
#include "stock/postgres/connection.h"

namespace stock::postgres {

std::string_view extent_name(drift::Extent extent);  // "counts"...
drift::Extent extent(std::string_view name);

// Five parameters, one for each count.
class CountColumns {
 public:
  void add(const domain::Counts& counts);
  void take(std::vector<std::string>& out);

 private:
  std::array<ArrayLiteral, 5> columns_;
};

// Of the columns of sql::keep_testimonies().
drift::KeptTestimony testimony(const pqxx::row& row);
std::vector<std::string> to_keep(std::span<const drift::KeptTestimony> testimonies);

}  // namespace stock::postgres

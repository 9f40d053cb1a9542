#pragma once

#include <cstdint>

#include "stockctl/files/catalogue_file.h"
#include "stockctl/files/csv_table.h"
#include "stockctl/files/sales_file.h"

namespace stockctl {

// What each key must have had before the first sale for every sale to have been possible: the most
// that its sales, less what came back, ever summed up to in time order, and `margin` on top. Keys
// in order of first appearance in the file. A key of which more than 10^15 would be needed goes to
// `bad_line` instead.
StockTable opening_stock(Sales sales, std::int64_t margin, const BadLineSink& bad_line);

}  // namespace stockctl

// From what a call of the API answered to the operation that the history keeps.
#pragma once

#include <string>
#include <vector>

#include "stock/v1/stock_service.pb.h"
#include "support/history.h"
#include "support/stock_client.h"

namespace stock::support {

domain::LocalTime boot_time();  // CLOCK_BOOTTIME

domain::Counts counts_of(const v1::Counts& counts);
domain::DatabaseTime time_of(const google::protobuf::Timestamp& time);
google::protobuf::Timestamp timestamp_of(domain::DatabaseTime time);
Statement statement_of(const v1::StockLevel& level);
// `locations`: all that were summed; those that a line without a location may take from.
Total total_of(const v1::StockTotal& total, std::vector<std::string> locations);
CartLine cart_line_of(const v1::LineAvailability& line, const std::vector<std::string>& locations);

// What they say of the whole answer, into `op`.
void note_provenance(const v1::Provenance& provenance, ReadOp& op);

// Whether a write that failed was applied, as far as its caller was told.
Fate fate_of(const Ended& ended);

}  // namespace stock::support

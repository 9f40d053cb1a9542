#pragma once

#include <ostream>
#include <string>
#include <string_view>

#include "google/protobuf/repeated_ptr_field.h"
#include "stock/v1/drift_service.pb.h"
#include "stockctl/text/terminal.h"

namespace stockctl {

// "current", "stale"...
std::string_view name_of(stock::v1::Verdict verdict);
// Whether the witness and the ledger contradict each other.
bool is_lie(stock::v1::Verdict verdict);
// "LANTERN-42 @ LON"; and the name of a verdict, a lie's in capitals: it is to be found without
// color too.
std::string key_of(const stock::v1::Key& key);
std::string label_of(stock::v1::Verdict verdict);

// Of each key what every witness says, side by side, with the verdict in words, and then what
// happened last:
//   LANTERN-42 @ LON, by stockd-1
//   The ledger: 120 available (on hand 126, committed 6), version 18
//
//   WITNESS  AVAILABLE  VERSION  COMMITTED     TRUE THROUGH         AGE
//   redis           42       15  02:03:11.000  02:03:20.000  3 min 49 s
//            STALE: 42 was true from 02:03:11.000 to 02:03:15.000, 3 versions
//            ago; superseded by version 16: adjust, order 536365, by shop
void print_explanation(std::ostream& out, const stock::v1::ExplainStockLevelResponse& response,
                       const Terminal& terminal);

// What witnesses outside said, and what the ledger says of that.
void print_testimonies(std::ostream& out, const stock::v1::SubmitTestimoniesResponse& response,
                       const Terminal& terminal);

// Findings of many keys, those that are lies, and a line that sums up.
void print_audit(std::ostream& out, const stock::v1::AuditStockLevelsResponse& response,
                 const Terminal& terminal);

// What the layer said before, and what all say afterwards.
void print_repair(std::ostream& out, const stock::v1::RepairStockLevelResponse& response,
                  const Terminal& terminal);

}  // namespace stockctl

// Findings as the API words them.
#pragma once

#include <string>
#include <string_view>

#include "stock/domain/movement.h"
#include "stock/drift/verdict.h"
#include "stock/v1/drift.pb.h"

namespace stock::rpc {

// What the witness `name` said when `instance` asked it, and what the ledger says of that;
// `successor` as for drift::words().
void to_proto(const drift::Finding& finding, std::string_view name, const std::string& instance,
              const domain::Movement* successor, v1::Finding& out);

}  // namespace stock::rpc

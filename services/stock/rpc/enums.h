// Between the API's enums and the rooms'.
#pragma once

#include <string_view>

#include "stock/domain/provenance.h"
#include "stock/drift/verdict.h"
#include "stock/v1/drift.pb.h"
#include "stock/v1/provenance.pb.h"

namespace stock::rpc {

v1::Outcome outcome_of(domain::Outcome outcome);
v1::Verdict verdict_of(drift::Verdict verdict);
std::string_view name_of(v1::Layer layer);  // empty: it is none

}  // namespace stock::rpc

// How every read ends: the provenance of the answer, or an error that carries it too.
#pragma once

#include <grpcpp/grpcpp.h>

#include <span>
#include <string>
#include <string_view>

#include "stock/domain/provenance.h"
#include "stock/layers/catalogue_path.h"
#include "stock/layers/read_path.h"
#include "stock/rpc/errors.h"
#include "stock/v1/provenance.pb.h"

namespace stock::rpc {

void fill_provenance(const domain::Age& age, bool bound_missed,
                     std::span<const domain::Visit> trail, const std::string& instance,
                     v1::Provenance& out);

// Why no layer could answer. `best`: the age that could have been had. The provenance goes with the
// call's trailing metadata, `stock-provenance-bin`.
grpc::Status unanswered(grpc::ServerContext& context, const absl::Status& status,
                        const std::optional<domain::Age>& best,
                        std::span<const domain::Visit> trail, const std::string& instance);

}  // namespace stock::rpc

// Testimonies, between the API's messages and the rooms' values.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "stock/domain/movement.h"
#include "stock/drift/judge.h"
#include "stock/drift/testimony.h"
#include "stock/rpc/errors.h"
#include "stock/v1/drift_service.pb.h"

namespace stock::rpc {

// What is wrong with the request, if something is. `roster`: who may testify.
std::optional<Failure> from_proto(const v1::SubmitTestimoniesRequest& request,
                                  std::span<const std::string> roster,
                                  std::vector<drift::Testimony>& out);

// `now`: when a testimony that was kept is judged anew; nothing: it was just heard.
void to_proto(const drift::Told& told, const drift::Judged& judged,
              const domain::Movement* successor, std::optional<domain::DatabaseTime> now,
              v1::Finding& out);

}  // namespace stock::rpc

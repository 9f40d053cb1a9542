#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/status.h"

namespace stockctl {

std::shared_ptr<grpc::Channel> open_channel(const std::string& address);

// This long from now, on the clock that nobody sets.
gpr_timespec deadline_in(std::chrono::nanoseconds time);

// What a finished call ended with, and what the server said of it.
absl::Status status_of(const grpc::Status& status, const grpc::ClientContext& context);

}  // namespace stockctl

#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/status.h"

namespace stockctl {

// `user_agent`: as servers see who calls.
std::shared_ptr<grpc::Channel> open_channel(const std::string& address,
                                            const std::string& user_agent = "stockctl");

// This long from now, on the clock that nobody sets.
gpr_timespec deadline_in(std::chrono::nanoseconds time);

// What a finished call ended with, and what the server said of it.
absl::Status status_of(const grpc::Status& status, const grpc::ClientContext& context);

}  // namespace stockctl

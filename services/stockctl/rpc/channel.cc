#include "stockctl/rpc/channel.h"

#include <string_view>

#include "stockctl/rpc/error_details.h"

namespace stockctl {
namespace {

// A connection of which nothing is heard is asked whether it lives, ...
constexpr std::chrono::seconds kKeepaliveTime(15);  // servers permit ten
// ...and given up when it does not say so.
constexpr std::chrono::seconds kKeepaliveTimeout(10);

int ms(std::chrono::milliseconds time) { return static_cast<int>(time.count()); }

}  // namespace

std::shared_ptr<grpc::Channel> open_channel(const std::string& address,
                                            const std::string& user_agent) {
  grpc::ChannelArguments arguments;
  arguments.SetUserAgentPrefix(user_agent);
  // Whoever waits for a server that is restarted wants to know soon.
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, ms(kKeepaliveTime));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, ms(kKeepaliveTimeout));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  // Who follows a stream sends nothing but pings.
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

gpr_timespec deadline_in(std::chrono::nanoseconds time) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_nanos(time.count(), GPR_TIMESPAN));
}

absl::Status status_of(const grpc::Status& status, const grpc::ClientContext& context) {
  if (status.ok()) return absl::OkStatus();
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  const auto& metadata = context.GetServerTrailingMetadata();
  const auto provenance = metadata.find(std::string(kProvenanceMetadata));
  attach_details(result, status.error_details(),
                 provenance == metadata.end()
                     ? std::string_view()
                     : std::string_view(provenance->second.data(), provenance->second.size()));
  return result;
}

}  // namespace stockctl

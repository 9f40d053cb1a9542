// How every write begins and ends: who asks and why, the ledger's answer, its token.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "stock/rpc/convert.h"
#include "stock/rpc/request_identity.h"
#include "stock/rpc/stock_handlers.h"
#include "stock/rpc/token.h"

namespace stock::rpc {

inline constexpr std::size_t kMaxTextBytes = 256;

inline std::optional<Failure> check_count(const std::string& field, std::int64_t count) {
  if (count >= 0 && count <= domain::kMaxCount) return std::nullopt;
  return bad_field(field, "must be between 0 and 10^15");
}

inline std::optional<Failure> check_units(const std::string& field, std::int64_t units) {
  if (units >= 1 && units <= domain::kMaxCount) return std::nullopt;
  return bad_field(field, "must be between 1 and 10^15");
}

// Empty: a new one.
inline std::optional<Failure> uuid_from(const std::string& field, const std::string& text,
                                        domain::Uuid& out) {
  if (text.empty()) {
    out = make_request_id();
  } else if (const auto id = domain::parse_uuid(text)) {
    out = *id;
  } else {
    return bad_field(field, "must be a UUID, such as 3f2b0c9e-7c1d-4f6a-9a54-0d6c4d1f2e11");
  }
  return std::nullopt;
}

// Id, digest, and who and why.
template <typename Request>
std::optional<Failure> identify(std::string_view method, const Request& message,
                                ledger::Request& out) {
  const v1::WriteContext& context = message.context();
  for (const auto& [field, value] :
       {std::pair("reason", &context.reason()), std::pair("reference", &context.reference()),
        std::pair("actor", &context.actor())}) {
    const auto status = domain::validate_text(field, *value, kMaxTextBytes);
    if (!status.ok()) {
      return bad_field(fmt::format("context.{}", field), std::string(status.message()));
    }
  }
  if (auto wrong = uuid_from("context.request_id", context.request_id(), out.id)) return wrong;
  Request payload = message;
  payload.mutable_context()->clear_request_id();
  out.digest = digest_of(method, payload);
  out.reason = context.reason();
  out.reference = context.reference();
  out.actor = context.actor();
  return std::nullopt;
}

// A caller without a deadline does not wait for ever, and so does not keep the server from ending.
template <typename Call>
domain::LocalTime write_deadline(const Rooms& rooms, const Call& call) {
  return std::min(call.deadline(), rooms.clock.now() + rooms.write_timeout);
}

inline void to_proto(const ledger::Written& written, v1::WrittenLevel& out) {
  rpc::to_proto(written.key, *out.mutable_key());
  rpc::to_proto(written.counts, *out.mutable_counts());
  out.set_version(written.version);
}

// The ledger that took the write has said which it is.
inline std::string token_of(const Rooms& rooms, const ledger::Applied& applied,
                            const domain::Uuid& request) {
  return make_token(
      {.ledger = rooms.identity.ledger(), .write = applied.transaction, .request = request});
}

// Hands the request to the ledger; `respond` fills in the response when it was applied.
template <typename Call, typename Respond>
void write(const Rooms& rooms, Call& call, ledger::Request&& request, Respond respond) {
  call.response().set_request_id(domain::format_uuid(request.id));
  const domain::Uuid id = request.id;
  rooms.writes.submit(
      std::move(request), write_deadline(rooms, call),
      [&rooms, &call, id, respond = std::move(respond)](ledger::Outcome outcome) mutable {
        if (const auto* refusal = std::get_if<ledger::Refusal>(&outcome)) {
          Failure failure = refused(*refusal);
          failure.metadata.emplace_back("request_id", call.response().request_id());
          return call.finish(to_status(failure));
        }
        const auto& applied = std::get<ledger::Applied>(outcome);
        call.response().set_replayed(applied.replayed);
        call.response().set_token(token_of(rooms, applied, id));
        respond(applied, call.response());
        call.finish(grpc::Status::OK);
      });
}

}  // namespace stock::rpc

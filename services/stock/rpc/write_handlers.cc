// AdjustStock, SetStock, ImportStockLevels, CreateLocation.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "absl/container/flat_hash_set.h"
#include "stock/rpc/convert.h"
#include "stock/rpc/request_identity.h"
#include "stock/rpc/stock_handlers.h"
#include "stock/rpc/token.h"

namespace stock::rpc {
namespace {

constexpr int kPosted = 64;
constexpr int kMaxLines = 1000;
constexpr std::size_t kMaxTextBytes = 256;

std::optional<Failure> check_count(const std::string& field, std::int64_t count) {
  if (count >= 0 && count <= domain::kMaxCount) return std::nullopt;
  return bad_field(field, "must be between 0 and 10^15");
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
  if (context.request_id().empty()) {
    out.id = make_request_id();
  } else if (const auto id = domain::parse_uuid(context.request_id())) {
    out.id = *id;
  } else {
    return bad_field("context.request_id",
                     "must be a UUID, such as 3f2b0c9e-7c1d-4f6a-9a54-0d6c4d1f2e11");
  }
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

void to_proto(const ledger::Written& written, v1::WrittenLevel& out) {
  rpc::to_proto(written.key, *out.mutable_key());
  rpc::to_proto(written.counts, *out.mutable_counts());
  out.set_version(written.version);
}

// The ledger that took the write has said which it is.
std::string token_of(const Rooms& rooms, const ledger::Applied& applied,
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

// ---- AdjustStock

using AdjustCall = UnaryCall<v1::AdjustStockRequest, v1::AdjustStockResponse>;

std::optional<Failure> parse(const v1::AdjustStockRequest& message, ledger::Request& request) {
  if (auto wrong = identify("AdjustStock", message, request)) return wrong;
  if (message.lines().empty() || message.lines_size() > kMaxLines) {
    return bad_field("lines", "must have 1 to 1,000 lines");
  }
  request.kind = domain::MovementKind::kAdjust;
  for (int i = 0; i < message.lines_size(); ++i) {
    const v1::Adjustment& line = message.lines(i);
    ledger::Adjust change;
    if (auto wrong = from_proto(line.key(), fmt::format("lines[{}].key", i), change.key)) {
      return wrong;
    }
    change.on_hand_delta = line.on_hand_delta();
    if (change.on_hand_delta == 0 || change.on_hand_delta < -domain::kMaxCount ||
        change.on_hand_delta > domain::kMaxCount) {
      return bad_field(fmt::format("lines[{}].on_hand_delta", i),
                       "must be between -10^15 and 10^15, and not 0");
    }
    request.changes.emplace_back(std::move(change));
  }
  return std::nullopt;
}

void adjust_stock(const Rooms& rooms, AdjustCall& call) {
  ledger::Request request;
  if (const auto wrong = parse(call.request(), request)) return call.finish(to_status(*wrong));
  write(rooms, call, std::move(request),
        [](const ledger::Applied& applied, v1::AdjustStockResponse& response) {
          for (const auto& level : applied.levels) to_proto(level, *response.add_levels());
        });
}

// ---- SetStock

using SetCall = UnaryCall<v1::SetStockRequest, v1::SetStockResponse>;

std::optional<Failure> parse(const v1::SetStockRequest& message, ledger::Request& request) {
  if (auto wrong = identify("SetStock", message, request)) return wrong;
  request.kind = domain::MovementKind::kSet;
  ledger::Set change;
  if (auto wrong = from_proto(message.key(), "key", change.key)) return wrong;
  if (auto wrong = check_count("on_hand", message.on_hand())) return wrong;
  change.on_hand = message.on_hand();
  switch (message.expectation_case()) {
    case v1::SetStockRequest::kExpectedOnHand:
      if (auto wrong = check_count("expected_on_hand", message.expected_on_hand())) return wrong;
      change.expected_on_hand = message.expected_on_hand();
      break;
    case v1::SetStockRequest::kExpectedVersion:
      if (message.expected_version() < 0) {
        return bad_field("expected_version", "must not be negative; 0 means: no level yet");
      }
      change.expected_version = message.expected_version();
      break;
    default:
      break;
  }
  request.changes.emplace_back(std::move(change));
  return std::nullopt;
}

void set_stock(const Rooms& rooms, SetCall& call) {
  ledger::Request request;
  if (const auto wrong = parse(call.request(), request)) return call.finish(to_status(*wrong));
  write(rooms, call, std::move(request),
        [](const ledger::Applied& applied, v1::SetStockResponse& response) {
          for (const auto& level : applied.levels) to_proto(level, *response.mutable_level());
        });
}

// ---- ImportStockLevels

using ImportCall = UnaryCall<v1::ImportStockLevelsRequest, v1::ImportStockLevelsResponse>;

std::optional<Failure> parse_row(const v1::ImportRow& row, ledger::Set& change) {
  if (auto wrong = from_proto(row.key(), "key", change.key)) return wrong;
  if (auto wrong = check_count("on_hand", row.on_hand())) return wrong;
  change.on_hand = row.on_hand();
  if (row.has_safety_stock()) {
    if (auto wrong = check_count("safety_stock", row.safety_stock())) return wrong;
    change.safety_stock = row.safety_stock();
  }
  return std::nullopt;
}

void import_stock_levels(const Rooms& rooms, ImportCall& call) {
  const v1::ImportStockLevelsRequest& message = call.request();
  ledger::Request request;
  auto wrong = identify("ImportStockLevels", message, request);
  if (!wrong && (message.rows().empty() || message.rows_size() > kMaxLines)) {
    wrong = bad_field("rows", "must have 1 to 1,000 rows");
  }
  if (wrong) return call.finish(to_status(*wrong));

  request.kind = domain::MovementKind::kImport;
  absl::flat_hash_set<domain::Key> seen;
  const auto report = [&call](int index, std::string why) {
    v1::ImportRowError& error = *call.response().add_errors();
    error.set_index(index);
    error.set_message(std::move(why));
  };
  for (int i = 0; i < message.rows_size(); ++i) {
    ledger::Set change;
    if (const auto bad = parse_row(message.rows(i), change)) {
      report(i, bad->message);
    } else if (!seen.insert(change.key).second) {
      report(i, "the key stands in an earlier row");
    } else {
      request.changes.emplace_back(std::move(change));
    }
  }
  const auto rows = static_cast<std::int32_t>(request.changes.size());
  if (rows == 0) {
    call.response().set_request_id(domain::format_uuid(request.id));
    return call.finish(grpc::Status::OK);
  }
  write(rooms, call, std::move(request),
        [rows](const ledger::Applied& applied, v1::ImportStockLevelsResponse& response) {
          const auto changed = static_cast<std::int32_t>(applied.levels.size());
          response.set_changed(changed);
          response.set_unchanged(rows - changed);
        });
}

// ---- CreateLocation

using LocationCall = UnaryCall<v1::CreateLocationRequest, v1::CreateLocationResponse>;

void create_location(const Rooms& rooms, LocationCall& call) {
  const v1::Location& wanted = call.request().location();
  auto status = domain::validate_name("id", wanted.id());
  if (!status.ok()) {
    return call.finish(to_status(bad_field("location.id", std::string(status.message()))));
  }
  status = domain::validate_text("display_name", wanted.display_name(), kMaxTextBytes);
  if (!status.ok()) {
    return call.finish(
        to_status(bad_field("location.display_name", std::string(status.message()))));
  }
  rooms.locations.create(
      {.id = wanted.id(), .display_name = wanted.display_name(), .created_at = {}},
      write_deadline(rooms, call), [&call](absl::StatusOr<domain::Location> created) {
        if (created.ok()) {
          rpc::to_proto(*created, *call.response().mutable_location());
          return call.finish(grpc::Status::OK);
        }
        Failure failure = backend_failure(created.status());
        if (absl::IsAlreadyExists(created.status())) {
          failure.code = grpc::StatusCode::ALREADY_EXISTS;
          failure.reason = "LOCATION_EXISTS";
        }
        call.finish(to_status(failure));
      });
}

}  // namespace

void StockHandlers::attach_writes(Server& server) {
  STOCK_RPC(server, AdjustStock, kPosted, adjust_stock);
  STOCK_RPC(server, SetStock, kPosted, set_stock);
  STOCK_RPC(server, ImportStockLevels, kPosted, import_stock_levels);
  STOCK_RPC(server, CreateLocation, kPosted, create_location);
}

void StockHandlers::attach(Server& server) {
  server.add_service(service_);
  attach_reads(server);
  attach_lists(server);
  attach_writes(server);
  attach_watches(server);
  attach_streams(server);
}

}  // namespace stock::rpc

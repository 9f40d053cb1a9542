// AdjustStock, SetStock, MoveStock, UpdateStockSettings, ImportStockLevels, CreateLocation.
#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "stock/rpc/convert.h"
#include "stock/rpc/stock_handlers.h"
#include "stock/rpc/writing.h"

namespace stock::rpc {
namespace {

constexpr int kMaxLines = 1000;
constexpr int kMaxTransfers = 500;

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

// ---- MoveStock

using MoveCall = UnaryCall<v1::MoveStockRequest, v1::MoveStockResponse>;

std::optional<Failure> parse(const v1::MoveStockRequest& message, ledger::Request& request) {
  if (auto wrong = identify("MoveStock", message, request)) return wrong;
  if (message.lines().empty() || message.lines_size() > kMaxTransfers) {
    return bad_field("lines", "must have 1 to 500 lines");
  }
  request.kind = domain::MovementKind::kMove;
  for (int i = 0; i < message.lines_size(); ++i) {
    const v1::StockTransfer& line = message.lines(i);
    const std::string field = fmt::format("lines[{}]", i);
    if (auto wrong = check_units(field + ".quantity", line.quantity())) return wrong;
    if (line.from_location() == line.to_location()) {
      return bad_field(field + ".to_location", "must not be where the units come from");
    }
    v1::Key from;
    from.set_sku(line.sku());
    from.set_location(line.from_location());
    v1::Key to = from;
    to.set_location(line.to_location());
    ledger::Adjust taken{.on_hand_delta = -line.quantity()};
    ledger::Adjust given{.on_hand_delta = line.quantity()};
    if (auto wrong = from_proto(from, field + ".from", taken.key)) return wrong;
    if (auto wrong = from_proto(to, field + ".to", given.key)) return wrong;
    request.changes.emplace_back(std::move(taken));
    request.changes.emplace_back(std::move(given));
  }
  return std::nullopt;
}

void move_stock(const Rooms& rooms, MoveCall& call) {
  ledger::Request request;
  if (const auto wrong = parse(call.request(), request)) return call.finish(to_status(*wrong));
  write(rooms, call, std::move(request),
        [](const ledger::Applied& applied, v1::MoveStockResponse& response) {
          for (const auto& level : applied.levels) to_proto(level, *response.add_levels());
        });
}

// ---- UpdateStockSettings

using SettingsCall = UnaryCall<v1::UpdateStockSettingsRequest, v1::UpdateStockSettingsResponse>;

std::optional<Failure> parse(const v1::UpdateStockSettingsRequest& message,
                             ledger::Request& request) {
  if (auto wrong = identify("UpdateStockSettings", message, request)) return wrong;
  request.kind = domain::MovementKind::kSettings;
  ledger::Settings change;
  if (auto wrong = from_proto(message.key(), "key", change.key)) return wrong;
  if (!message.has_safety_stock() && !message.has_backorder_limit()) {
    return bad_field("safety_stock", "this or backorder_limit has to be given");
  }
  if (message.has_safety_stock()) {
    if (auto wrong = check_count("safety_stock", message.safety_stock())) return wrong;
    change.safety_stock = message.safety_stock();
  }
  if (message.has_backorder_limit()) {
    if (auto wrong = check_count("backorder_limit", message.backorder_limit())) return wrong;
    change.backorder_limit = message.backorder_limit();
  }
  if (message.has_expected_version()) {
    if (message.expected_version() < 0) {
      return bad_field("expected_version", "must not be negative; 0 means: no level yet");
    }
    change.expected_version = message.expected_version();
  }
  request.changes.emplace_back(std::move(change));
  return std::nullopt;
}

void update_stock_settings(const Rooms& rooms, SettingsCall& call) {
  ledger::Request request;
  if (const auto wrong = parse(call.request(), request)) return call.finish(to_status(*wrong));
  write(rooms, call, std::move(request),
        [](const ledger::Applied& applied, v1::UpdateStockSettingsResponse& response) {
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
  STOCK_RPC(server, AdjustStock, adjust_stock);
  STOCK_RPC(server, SetStock, set_stock);
  STOCK_RPC(server, MoveStock, move_stock);
  STOCK_RPC(server, UpdateStockSettings, update_stock_settings);
  STOCK_RPC(server, ImportStockLevels, import_stock_levels);
  STOCK_RPC(server, CreateLocation, create_location);
}

void StockHandlers::attach(Server& server) {
  server.add_service(service_);
  attach_reads(server);
  attach_lists(server);
  attach_writes(server);
  attach_reservations(server);
  attach_watches(server);
  attach_streams(server);
}

}  // namespace stock::rpc

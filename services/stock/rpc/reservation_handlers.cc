// The life of a reservation: CreateReservation, UpdateReservation, CommitReservation,
// ReleaseReservation, FulfillReservation; GetReservation, ListReservations.
#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "stock/rpc/answer.h"
#include "stock/rpc/convert.h"
#include "stock/rpc/freshness.h"
#include "stock/rpc/page_token.h"
#include "stock/rpc/stock_handlers.h"
#include "stock/rpc/writing.h"

namespace stock::rpc {
namespace {

constexpr int kMaxLines = 1000;
constexpr std::chrono::seconds kMinTtl(1);
constexpr std::chrono::hours kMaxTtl(24);

std::optional<Failure> lines_from(
    const google::protobuf::RepeatedPtrField<v1::ReservedUnits>& lines, int at_least,
    std::vector<ledger::Line>& out) {
  if (lines.size() < at_least || lines.size() > kMaxLines) {
    return bad_field("lines", fmt::format("must have {} to 1,000 lines", at_least));
  }
  out.reserve(static_cast<std::size_t>(lines.size()));
  for (int i = 0; i < lines.size(); ++i) {
    const v1::ReservedUnits& line = lines[i];
    ledger::Line& units = out.emplace_back();
    if (auto wrong = from_proto(line.key(), fmt::format("lines[{}].key", i), units.key)) {
      return wrong;
    }
    if (auto wrong = check_units(fmt::format("lines[{}].quantity", i), line.quantity())) {
      return wrong;
    }
    units.quantity = line.quantity();
  }
  return std::nullopt;
}

std::optional<Failure> ttl_from(const google::protobuf::Duration& message,
                                std::chrono::microseconds& out) {
  const std::chrono::nanoseconds ttl =
      std::chrono::seconds(std::clamp<std::int64_t>(message.seconds(), -1, 100'000)) +
      std::chrono::nanoseconds(message.nanos());
  if (ttl < kMinTtl || ttl > kMaxTtl) return bad_field("ttl", "must be between 1 s and 24 h");
  out = std::chrono::duration_cast<std::chrono::microseconds>(ttl);
  return std::nullopt;
}

// The id of a reservation that is there.
std::optional<Failure> id_from(const std::string& field, const std::string& text,
                               domain::Uuid& out) {
  if (text.empty()) return bad_field(field, "must name a reservation");
  return uuid_from(field, text, out);
}

// Who asks, which reservation is meant, and as which it was last seen.
template <typename Message>
std::optional<Failure> address(std::string_view method, const Message& message,
                               ledger::Request& request) {
  ledger::Action& action = request.action.emplace();
  if (auto wrong = id_from("reservation_id", message.reservation_id(), action.reservation)) {
    return wrong;
  }
  // However it is spelt, it is the same request.
  Message payload = message;
  payload.set_reservation_id(domain::format_uuid(action.reservation));
  if (auto wrong = identify(method, payload, request)) return wrong;
  if (message.etag().empty()) return std::nullopt;
  std::int64_t revision = 0;
  if (!absl::SimpleAtoi(message.etag(), &revision)) {
    return bad_field("etag", "is not one that a reservation had");
  }
  action.expected_revision = revision;
  return std::nullopt;
}

template <typename Call>
void write_reservation(const Rooms& rooms, Call& call, ledger::Request&& request) {
  write(rooms, call, std::move(request), [](const ledger::Applied& applied, auto& response) {
    if (applied.reservation) {
      to_proto(*applied.reservation, applied.reservation->updated_at,
               *response.mutable_reservation());
    }
    for (const auto& level : applied.levels) to_proto(level, *response.add_levels());
  });
}

// ---- CreateReservation

using CreateCall = UnaryCall<v1::CreateReservationRequest, v1::CreateReservationResponse>;

std::optional<Failure> parse(const v1::CreateReservationRequest& message,
                             ledger::Request& request) {
  // One id for both, wherever the caller gave it and however it is spelt.
  const std::string& request_id = message.context().request_id();
  const std::string& id = message.reservation_id().empty() ? request_id : message.reservation_id();
  domain::Uuid reservation{};
  if (auto wrong = uuid_from("reservation_id", id, reservation)) return wrong;
  if (!request_id.empty() && domain::parse_uuid(request_id) != reservation) {
    return bad_field("context.request_id", "must be the reservation_id, or empty");
  }
  v1::CreateReservationRequest payload = message;
  payload.set_reservation_id(domain::format_uuid(reservation));
  payload.mutable_context()->set_request_id(payload.reservation_id());
  if (auto wrong = identify("CreateReservation", payload, request)) return wrong;

  ledger::Reserve reserve{.allow_partial = message.allow_partial()};
  if (auto wrong = lines_from(message.lines(), 1, reserve.lines)) return wrong;
  if (auto wrong = ttl_from(message.ttl(), reserve.ttl)) return wrong;
  request.action = {
      .reservation = reservation, .expected_revision = {}, .what = std::move(reserve)};
  return std::nullopt;
}

void create_reservation(const Rooms& rooms, CreateCall& call) {
  ledger::Request request;
  if (const auto wrong = parse(call.request(), request)) return call.finish(to_status(*wrong));
  write_reservation(rooms, call, std::move(request));
}

// ---- UpdateReservation

using UpdateCall = UnaryCall<v1::UpdateReservationRequest, v1::UpdateReservationResponse>;

void update_reservation(const Rooms& rooms, UpdateCall& call) {
  const v1::UpdateReservationRequest& message = call.request();
  ledger::Request request;
  ledger::Update update;
  auto wrong = address("UpdateReservation", message, request);
  if (!wrong) wrong = lines_from(message.lines(), 0, update.lines);
  if (!wrong && message.has_ttl()) wrong = ttl_from(message.ttl(), update.ttl.emplace());
  if (!wrong && message.lines().empty() && !message.has_ttl()) {
    wrong = bad_field("lines", "these or ttl have to be given");
  }
  if (wrong) return call.finish(to_status(*wrong));
  request.action->what = std::move(update);
  write_reservation(rooms, call, std::move(request));
}

// ---- CommitReservation, ReleaseReservation

using CommitCall = UnaryCall<v1::CommitReservationRequest, v1::CommitReservationResponse>;

void commit_reservation(const Rooms& rooms, CommitCall& call) {
  ledger::Request request;
  const auto wrong = address("CommitReservation", call.request(), request);
  if (wrong) return call.finish(to_status(*wrong));
  request.action->what = ledger::Commit{};
  write_reservation(rooms, call, std::move(request));
}

using ReleaseCall = UnaryCall<v1::ReleaseReservationRequest, v1::ReleaseReservationResponse>;

void release_reservation(const Rooms& rooms, ReleaseCall& call) {
  ledger::Request request;
  const auto wrong = address("ReleaseReservation", call.request(), request);
  if (wrong) return call.finish(to_status(*wrong));
  request.action->what = ledger::Release{};
  write_reservation(rooms, call, std::move(request));
}

// ---- FulfillReservation

using FulfillCall = UnaryCall<v1::FulfillReservationRequest, v1::FulfillReservationResponse>;

void fulfill_reservation(const Rooms& rooms, FulfillCall& call) {
  ledger::Request request;
  ledger::Fulfill fulfill;
  auto wrong = address("FulfillReservation", call.request(), request);
  if (!wrong) wrong = lines_from(call.request().lines(), 0, fulfill.lines);
  if (wrong) return call.finish(to_status(*wrong));
  request.action->what = std::move(fulfill);
  write_reservation(rooms, call, std::move(request));
}

// ---- GetReservation, ListReservations

using GetCall = UnaryCall<v1::GetReservationRequest, v1::GetReservationResponse>;
using ListCall = UnaryCall<v1::ListReservationsRequest, v1::ListReservationsResponse>;
using Listing = layers::Listing<layers::ReservationPage>;

// The page, or the call is finished with the error.
template <typename Call>
const layers::ReservationPage* page_or_finish(const Rooms& rooms, const Listing& listing,
                                              Call& call) {
  if (!listing.page.ok()) {
    call.finish(unanswered(call.context(), listing.page.status(), listing.age, listing.trail,
                           rooms.instance));
    return nullptr;
  }
  fill_provenance(listing.age.value_or(domain::Age{}), listing.bound_missed, listing.trail,
                  rooms.instance, *call.response().mutable_provenance());
  return &*listing.page;
}

void get_reservation(const Rooms& rooms, GetCall& call) {
  layers::ReservationQuery query{.limit = 1};
  if (auto wrong = id_from("id", call.request().id(), query.id.emplace())) {
    return call.finish(to_status(*wrong));
  }
  rooms.catalogue.reservations(
      std::move(query), {.fully_consistent = true}, call.read_context(),
      [&rooms, &call](const Listing& listing) {
        const layers::ReservationPage* page = page_or_finish(rooms, listing, call);
        if (page == nullptr) return;
        if (page->reservations.empty()) {
          return call.finish(to_status(
              refused({.reason = ledger::Reason::kReservationNotFound,
                       .message = fmt::format("there is no reservation {}", call.request().id()),
                       .lines = {}})));
        }
        to_proto(page->reservations.front(), page->true_through,
                 *call.response().mutable_reservation());
        call.finish(grpc::Status::OK);
      });
}

std::string list_query(const v1::ListReservationsRequest& request) {
  return fmt::format("reservations {} {} {} {}", static_cast<int>(request.state()),
                     request.key().sku().size(), request.key().sku(), request.key().location());
}

std::optional<Failure> parse(const v1::ListReservationsRequest& request,
                             layers::ReservationQuery& query) {
  if (!v1::ReservationState_IsValid(request.state())) {
    return bad_field("state", "is not one of ReservationState");
  }
  if (request.state() != v1::RESERVATION_STATE_UNSPECIFIED) {
    query.state = static_cast<domain::ReservationState>(request.state() - 1);
  }
  if (request.has_key()) {
    if (auto wrong = from_proto(request.key(), "key", query.key.emplace())) return wrong;
  }
  if (!request.page_token().empty()) {
    const auto position = read_page_token(list_query(request), request.page_token());
    const auto id =
        position && position->size() == 1 ? domain::parse_uuid(position->front()) : std::nullopt;
    if (!id) {
      return bad_field("page_token",
                       "is not one that this listing gave out; begin again without a page token");
    }
    query.after = *id;
  }
  return page_size_from(request.page_size(), query.limit);
}

void list_reservations(const Rooms& rooms, ListCall& call) {
  layers::ReservationQuery query;
  Freshness freshness;
  auto wrong = parse(call.request(), query);
  if (!wrong) {
    wrong =
        from_proto(call.request().consistency(), rooms.max_staleness, Takes::kPresent, freshness);
  }
  if (wrong) return call.finish(to_status(*wrong));
  when_settled(
      rooms, call, std::move(freshness),
      [&rooms, &call, query = std::move(query)](const domain::Requirement& requirement) {
        rooms.catalogue.reservations(
            query, requirement, call.read_context(), [&rooms, &call](const Listing& listing) {
              const layers::ReservationPage* page = page_or_finish(rooms, listing, call);
              if (page == nullptr) return;
              for (const domain::Reservation& reservation : page->reservations) {
                to_proto(reservation, page->true_through, *call.response().add_reservations());
              }
              if (page->more && !page->reservations.empty()) {
                call.response().set_next_page_token(
                    make_page_token(list_query(call.request()),
                                    {domain::format_uuid(page->reservations.back().id)}));
              }
              call.finish(grpc::Status::OK);
            });
      });
}

}  // namespace

void StockHandlers::attach_reservations(Server& server) {
  STOCK_RPC(server, CreateReservation, create_reservation);
  STOCK_RPC(server, UpdateReservation, update_reservation);
  STOCK_RPC(server, CommitReservation, commit_reservation);
  STOCK_RPC(server, ReleaseReservation, release_reservation);
  STOCK_RPC(server, FulfillReservation, fulfill_reservation);
  STOCK_RPC(server, GetReservation, get_reservation);
  STOCK_RPC(server, ListReservations, list_reservations);
}

}  // namespace stock::rpc

#include "stock/rpc/convert.h"

#include <fmt/format.h>

#include "stock/rpc/enums.h"

namespace stock::rpc {
namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr std::int32_t kDefaultPageSize = 100;
constexpr std::int32_t kMaxPageSize = 1000;

v1::MovementKind kind_of(domain::MovementKind kind) {
  static_assert(v1::MOVEMENT_KIND_FULFILL == static_cast<int>(domain::MovementKind::kFulfill) + 1);
  return static_cast<v1::MovementKind>(static_cast<int>(kind) + 1);
}

v1::ReservationState state_of(domain::ReservationState state) {
  static_assert(v1::RESERVATION_STATE_EXPIRED ==
                static_cast<int>(domain::ReservationState::kExpired) + 1);
  return static_cast<v1::ReservationState>(static_cast<int>(state) + 1);
}

}  // namespace

void to_proto(nanoseconds duration, google::protobuf::Duration& out) {
  const auto whole = duration_cast<seconds>(duration);
  out.set_seconds(whole.count());
  out.set_nanos(static_cast<std::int32_t>((duration - whole).count()));
}

void to_proto(domain::DatabaseTime time, google::protobuf::Timestamp& out) {
  const auto whole = std::chrono::floor<seconds>(time.time_since_epoch());
  out.set_seconds(whole.count());
  out.set_nanos(static_cast<std::int32_t>(nanoseconds(time.time_since_epoch() - whole).count()));
}

void to_proto(const domain::Counts& counts, v1::Counts& out) {
  out.set_on_hand(counts.on_hand);
  out.set_reserved(counts.reserved);
  out.set_committed(counts.committed);
  out.set_safety_stock(counts.safety_stock);
  out.set_backorder_limit(counts.backorder_limit);
  out.set_available(counts.available());
}

void to_proto(const domain::Key& key, v1::Key& out) {
  out.set_sku(key.sku);
  out.set_location(key.location);
}

void to_proto(const domain::Movement& movement, v1::Movement& out) {
  to_proto(movement.key, *out.mutable_key());
  out.set_version(movement.version);
  out.set_kind(kind_of(movement.kind));
  to_proto(movement.delta, *out.mutable_delta());
  to_proto(movement.after, *out.mutable_counts_after());
  out.set_deleted(movement.deleted);
  to_proto(movement.committed_at, *out.mutable_committed_at());
  out.set_reason(movement.reason);
  out.set_reference(movement.reference);
  out.set_actor(movement.actor);
  if (movement.request) out.set_request_id(domain::format_uuid(*movement.request));
  if (movement.reservation) out.set_reservation_id(domain::format_uuid(*movement.reservation));
}

void to_proto(const domain::Reservation& reservation, domain::DatabaseTime now,
              v1::Reservation& out) {
  out.set_id(domain::format_uuid(reservation.id));
  out.set_state(reservation.ended(now) ? v1::RESERVATION_STATE_EXPIRED
                                       : state_of(reservation.state));
  for (const domain::ReservationLine& line : reservation.lines) {
    v1::ReservationLine& entry = *out.add_lines();
    to_proto(line.key, *entry.mutable_key());
    entry.set_quantity(line.quantity);
    entry.set_fulfilled(line.fulfilled);
  }
  to_proto(reservation.expire_at, *out.mutable_expire_time());
  to_proto(reservation.created_at, *out.mutable_create_time());
  to_proto(reservation.updated_at, *out.mutable_update_time());
  out.set_etag(std::to_string(reservation.revision));
  out.set_reference(reservation.reference);
  out.set_actor(reservation.actor);
}

void to_proto(const domain::Location& location, v1::Location& out) {
  out.set_id(location.id);
  out.set_display_name(location.display_name);
  to_proto(location.created_at, *out.mutable_create_time());
}

void to_proto(const domain::Visit& visit, v1::Provenance& out) {
  for (std::size_t i = 0; i < domain::kOutcomes; ++i) {
    const auto outcome = static_cast<domain::Outcome>(i);
    if (visit.count(outcome) == 0) continue;
    v1::Visit& entry = *out.add_trail();
    entry.set_layer(layer_of(visit.layer));
    entry.set_outcome(outcome_of(outcome));
    entry.set_keys(visit.count(outcome));
    to_proto(visit.time, *entry.mutable_time());
    const bool failed = outcome != domain::Outcome::kHit && outcome != domain::Outcome::kMiss &&
                        outcome != domain::Outcome::kTooOld;
    if (failed) entry.set_detail(visit.detail);
  }
}

// The row of a level that was changed by hand may have kept one when it let go of what was held.
std::optional<domain::DatabaseTime> first_expiry(const domain::Reading& reading) {
  if (reading.counts.reserved == 0 || reading.earliest_expiry == domain::DatabaseTime{}) return {};
  return reading.earliest_expiry;
}

void to_proto(const domain::Key& key, const domain::Reading& reading, microseconds age,
              v1::StockLevel& out) {
  to_proto(key, *out.mutable_key());
  out.set_exists(reading.exists);
  to_proto(reading.counts, *out.mutable_counts());
  out.set_version(reading.version);
  if (const auto expiry = first_expiry(reading)) {
    to_proto(*expiry, *out.mutable_earliest_expire_time());
  }
  v1::LevelProvenance& provenance = *out.mutable_provenance();
  provenance.set_layer(layer_of(reading.layer));
  if (reading.version > 0) to_proto(reading.as_of, *provenance.mutable_as_of());
  to_proto(reading.true_through, *provenance.mutable_true_through());
  to_proto(age, *provenance.mutable_age());
}

v1::Layer layer_of(std::string_view name) {
  if (name == "memory") return v1::LAYER_MEMORY;
  if (name == "redis") return v1::LAYER_REDIS;
  if (name == "replica") return v1::LAYER_REPLICA;
  if (name == "primary") return v1::LAYER_PRIMARY;
  return v1::LAYER_UNSPECIFIED;
}

std::optional<Failure> from_proto(const v1::Key& message, std::string_view field,
                                  domain::Key& out) {
  if (const auto status = domain::validate_name("sku", message.sku()); !status.ok()) {
    return bad_field(fmt::format("{}.sku", field), std::string(status.message()));
  }
  if (const auto status = domain::validate_name("location", message.location()); !status.ok()) {
    return bad_field(fmt::format("{}.location", field), std::string(status.message()));
  }
  out.sku = message.sku();
  out.location = message.location();
  return std::nullopt;
}

// What is right needs no name.
std::optional<Failure> from_proto(const v1::Key& message, std::string_view field, int index,
                                  domain::Key& out) {
  if (!from_proto(message, field, out)) return std::nullopt;
  return from_proto(message, fmt::format("{}[{}]", field, index), out);
}

std::optional<Failure> page_size_from(std::int32_t value, std::int32_t& out) {
  if (value < 0 || value > kMaxPageSize) {
    return bad_field("page_size", fmt::format("must be between 1 and {}, or 0 for {}", kMaxPageSize,
                                              kDefaultPageSize));
  }
  out = value == 0 ? kDefaultPageSize : value;
  return std::nullopt;
}

}  // namespace stock::rpc

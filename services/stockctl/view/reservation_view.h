#pragma once

#include <optional>
#include <ostream>
#include <string_view>

#include "google/protobuf/repeated_ptr_field.h"
#include "stock/v1/reservation.pb.h"
#include "stockctl/text/terminal.h"

namespace stockctl {

// "held", "committed"...; the state that a word names, if one does.
std::string_view name_of(stock::v1::ReservationState state);
std::optional<stock::v1::ReservationState> state_named(std::string_view word);

// One reservation:
//   0d5a1c9e-7c1d-4f6a-9a54-0d6c4d1f2e11
//
//     state      held until 2026-11-24 02:22:09 UTC
//     created    2026-11-24 02:07:09 UTC by shop@web-1
//     changed    2026-11-24 02:07:09 UTC
//     reference  order/536365
//     etag       1
//
//   SKU         LOCATION  QUANTITY  SHIPPED
//   LANTERN-42  LON              2        0
void print_reservation(std::ostream& out, const stock::v1::Reservation& reservation,
                       const Terminal& terminal);

// One line each; those that are held with the time of day at which they end, which is within a day.
void print_reservations(
    std::ostream& out,
    const google::protobuf::RepeatedPtrField<stock::v1::Reservation>& reservations,
    const Terminal& terminal);

}  // namespace stockctl

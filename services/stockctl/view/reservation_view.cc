#include "stockctl/view/reservation_view.h"

#include <array>
#include <string>
#include <utility>

#include "stockctl/text/concat.h"
#include "stockctl/text/format.h"
#include "stockctl/text/table.h"
#include "stockctl/text/utf8.h"
#include "stockctl/view/proto_time.h"

namespace stockctl {
namespace {

using stock::v1::Reservation;
using stock::v1::ReservationState;

constexpr std::array<std::pair<ReservationState, std::string_view>, 5> kNames = {{
    {stock::v1::RESERVATION_STATE_HELD, "held"},
    {stock::v1::RESERVATION_STATE_COMMITTED, "committed"},
    {stock::v1::RESERVATION_STATE_FULFILLED, "fulfilled"},
    {stock::v1::RESERVATION_STATE_RELEASED, "released"},
    {stock::v1::RESERVATION_STATE_EXPIRED, "expired"},
}};

Style style_of(ReservationState state) {
  switch (state) {
    case stock::v1::RESERVATION_STATE_HELD:
      return Style::kYellow;
    case stock::v1::RESERVATION_STATE_COMMITTED:
    case stock::v1::RESERVATION_STATE_FULFILLED:
      return Style::kGreen;
    default:
      return Style::kDim;
  }
}

std::string when(const google::protobuf::Timestamp& time) {
  return concat(format_time_to_second(to_instant(time)), " UTC");
}

// " until ..." of a hold, " at ..." of one that has ended.
std::string end_of(const Reservation& reservation) {
  switch (reservation.state()) {
    case stock::v1::RESERVATION_STATE_HELD:
      return concat(" until ", when(reservation.expire_time()));
    case stock::v1::RESERVATION_STATE_EXPIRED:
      return concat(" at ", when(reservation.expire_time()));
    default:
      return "";
  }
}

std::int64_t units_of(const Reservation& reservation) {
  std::int64_t units = 0;
  for (const auto& line : reservation.lines()) units += line.quantity();
  return units;
}

}  // namespace

std::string_view name_of(ReservationState state) {
  for (const auto& [named, name] : kNames) {
    if (named == state) return name;
  }
  return "?";
}

std::optional<ReservationState> state_named(std::string_view word) {
  for (const auto& [state, name] : kNames) {
    if (name == word) return state;
  }
  return std::nullopt;
}

void print_reservation(std::ostream& out, const Reservation& reservation,
                       const Terminal& terminal) {
  const auto line = [&](std::string_view name, const std::string& text) {
    constexpr std::size_t kLabelWidth = 11;
    out << "  " << styled(name, Style::kDim, terminal)
        << std::string(kLabelWidth - name.size(), ' ') << text << '\n';
  };
  out << styled(reservation.id(), Style::kBold, terminal) << "\n\n";
  line("state",
       concat(styled(name_of(reservation.state()), style_of(reservation.state()), terminal),
              end_of(reservation)));
  line("created", concat(when(reservation.create_time()), reservation.actor().empty() ? "" : " by ",
                         printable(reservation.actor())));
  line("changed", when(reservation.update_time()));
  if (!reservation.reference().empty()) line("reference", printable(reservation.reference()));
  line("etag", printable(reservation.etag()));
  out << '\n';
  Table table({{"SKU", Table::Align::kLeft, true},
               {"LOCATION", Table::Align::kLeft, true},
               {"QUANTITY", Table::Align::kRight},
               {"SHIPPED", Table::Align::kRight}});
  for (const stock::v1::ReservationLine& units : reservation.lines()) {
    table.add({units.key().sku(), units.key().location(), format_count(units.quantity()),
               format_count(units.fulfilled())});
  }
  table.print(out, terminal);
}

void print_reservations(std::ostream& out,
                        const google::protobuf::RepeatedPtrField<Reservation>& reservations,
                        const Terminal& terminal) {
  Table table({{"RESERVATION"},
               {"STATE"},
               {"UNTIL (UTC)"},
               {"UNITS", Table::Align::kRight},
               {"REFERENCE", Table::Align::kLeft, true}});
  for (const Reservation& reservation : reservations) {
    const bool held = reservation.state() == stock::v1::RESERVATION_STATE_HELD;
    table.add({reservation.id(),
               {std::string(name_of(reservation.state())), style_of(reservation.state())},
               held ? format_time_of_day(to_instant(reservation.expire_time())).substr(0, 8) : "-",
               format_count(units_of(reservation)),
               reservation.reference()});
  }
  table.print(out, terminal);
}

}  // namespace stockctl

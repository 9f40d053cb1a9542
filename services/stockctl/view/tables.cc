#include "stockctl/view/tables.h"

#include <string>
#include <vector>

#include "stockctl/text/concat.h"
#include "stockctl/text/format.h"
#include "stockctl/text/table.h"
#include "stockctl/text/utf8.h"
#include "stockctl/view/proto_time.h"
#include "stockctl/view/provenance_view.h"

namespace stockctl {
namespace {

using stock::v1::Counts;

Table::Column text(std::string name) { return {std::move(name), Table::Align::kLeft, true}; }
Table::Column word(std::string name) { return {std::move(name), Table::Align::kLeft, false}; }
Table::Column number(std::string name) { return {std::move(name), Table::Align::kRight, false}; }

Table::Cell stock_cell(std::int64_t available) {
  return {format_count(available), available > 0 ? Style::kPlain : Style::kRed};
}

// "+5" of what is on hand, which most movements change; else what did change. What was held when it
// is sold, and what was sold when it is shipped, goes without saying.
std::string change_of(const stock::v1::Movement& movement) {
  const Counts& delta = movement.delta();
  std::string change;
  const auto add = [&](std::int64_t count, std::string_view what) {
    if (count == 0) return;
    if (!change.empty()) change += ", ";
    change += format_change(count);
    if (!what.empty()) change += concat(' ', what);
  };
  add(delta.on_hand(), "");
  if (movement.kind() != stock::v1::MOVEMENT_KIND_COMMIT) add(delta.reserved(), "reserved");
  if (movement.kind() != stock::v1::MOVEMENT_KIND_FULFILL) add(delta.committed(), "committed");
  add(delta.safety_stock(), "safety");
  add(delta.backorder_limit(), "backorder");
  return change.empty() ? "0" : change;
}

std::string kind_of(const stock::v1::Movement& movement) {
  switch (movement.kind()) {
    case stock::v1::MOVEMENT_KIND_ADJUST:
      return "adjust";
    case stock::v1::MOVEMENT_KIND_SET:
      return "set";
    case stock::v1::MOVEMENT_KIND_IMPORT:
      return "import";
    case stock::v1::MOVEMENT_KIND_DIRECT:
      return movement.deleted() ? "direct, removed" : "direct";
    case stock::v1::MOVEMENT_KIND_MOVE:
      return "move";
    case stock::v1::MOVEMENT_KIND_SETTINGS:
      return "settings";
    case stock::v1::MOVEMENT_KIND_RESERVE:
      return "reserve";
    case stock::v1::MOVEMENT_KIND_UPDATE:
      return "update";
    case stock::v1::MOVEMENT_KIND_COMMIT:
      return "commit";
    case stock::v1::MOVEMENT_KIND_RELEASE:
      return "release";
    case stock::v1::MOVEMENT_KIND_EXPIRE:
      return "expire";
    case stock::v1::MOVEMENT_KIND_FULFILL:
      return "fulfill";
    default:
      return "?";
  }
}

// "sale 536365 by replay".
std::string why(const stock::v1::Movement& movement) {
  std::string text = movement.reason();
  if (!movement.reference().empty()) text += concat(text.empty() ? "" : " ", movement.reference());
  if (!movement.actor().empty()) text += concat(text.empty() ? "by " : " by ", movement.actor());
  return text;
}

}  // namespace

void print_levels(std::ostream& out,
                  const google::protobuf::RepeatedPtrField<stock::v1::StockLevel>& levels,
                  const Terminal& terminal) {
  Table table({text("SKU"), text("LOCATION"), number("AVAILABLE"), number("ON HAND"),
               number("VERSION"), word("LAYER"), number("AGE")});
  for (const stock::v1::StockLevel& level : levels) {
    const bool exists = level.exists();
    table.add({level.key().sku(), level.key().location(),
               exists ? stock_cell(level.counts().available()) : Table::Cell("none", Style::kRed),
               exists ? format_count(level.counts().on_hand()) : "-", format_count(level.version()),
               std::string(name_of(level.provenance().layer())),
               format_age(to_chrono(level.provenance().age()))});
  }
  table.print(out, terminal);
}

void print_totals(std::ostream& out, const stock::v1::BatchGetStockTotalsResponse& response,
                  const Terminal& terminal) {
  Table table({text("SKU"), number("AVAILABLE"), number("ON HAND"), number("RESERVED"),
               number("COMMITTED"), number("LOCATIONS"), word("OLDEST"), number("AGE")});
  bool mixed = false;
  for (const stock::v1::StockTotal& total : response.totals()) {
    mixed = mixed || total.mixed();
    table.add({total.sku(),
               total.locations() > 0 ? stock_cell(total.counts().available())
                                     : Table::Cell("none", Style::kRed),
               format_count(total.counts().on_hand()), format_count(total.counts().reserved()),
               format_count(total.counts().committed()), format_count(total.locations()),
               concat(name_of(total.oldest_layer()), total.mixed() ? " *" : ""),
               format_age(to_chrono(total.age()))});
  }
  table.print(out, terminal);
  if (mixed) out << "* summed from parts of different layers or instants\n";
}

void print_cart(std::ostream& out, const stock::v1::CheckAvailabilityResponse& response,
                const Terminal& terminal) {
  Table table({text("SKU"), text("LOCATION"), number("WANTED"), number("AVAILABLE"),
               number("SHORT"), word("")});
  int short_lines = 0;
  for (const stock::v1::LineAvailability& line : response.lines()) {
    const bool lacks = line.shortfall() > 0;
    short_lines += lacks ? 1 : 0;
    table.add({line.line().sku(), line.line().location().empty() ? "any" : line.line().location(),
               format_count(line.line().quantity()), format_count(line.available()),
               Table::Cell(lacks ? format_count(line.shortfall()) : "-",
                           lacks ? Style::kRed : Style::kPlain),
               std::string(line.found() ? "" : "no level")});
  }
  table.print(out, terminal);
  if (short_lines == 0) {
    out << '\n' << styled("All of it can be had.", Style::kGreen, terminal) << '\n';
    return;
  }
  out << '\n'
      << styled(concat(short_lines, " of ", response.lines_size(), " lines cannot be had in full."),
                Style::kRed, terminal)
      << '\n';
}

void print_history(std::ostream& out, const stock::v1::ListStockMovementsResponse& response,
                   const Terminal& terminal) {
  Table table({number("VERSION"), word("COMMITTED (UTC)"), word("KIND"), number("CHANGE"),
               number("ON HAND"), number("AVAILABLE"), text("WHY")});
  for (const stock::v1::Movement& movement : response.movements()) {
    const bool direct = movement.kind() == stock::v1::MOVEMENT_KIND_DIRECT;
    table.add({format_count(movement.version()),
               format_time_to_second(to_instant(movement.committed_at())),
               Table::Cell(kind_of(movement), direct ? Style::kYellow : Style::kPlain),
               change_of(movement), format_count(movement.counts_after().on_hand()),
               format_count(movement.counts_after().available()), why(movement)});
    if (!movement.reservation_id().empty()) {
      table.note(concat("reservation ", movement.reservation_id()));
    }
  }
  table.print(out, terminal);
}

void print_change(std::ostream& out, const stock::v1::LevelChange& change,
                  const Terminal& terminal) {
  const stock::v1::StockLevel& level = change.level();
  const auto& key = level.key();
  const std::string when = level.provenance().has_as_of()
                               ? format_time_of_day(to_instant(level.provenance().as_of()))
                               : std::string(12, ' ');
  out << styled(when, Style::kDim, terminal) << "  "
      << styled(concat(printable(key.sku()), " @ ", printable(key.location())), Style::kBold,
                terminal)
      << "  ";
  if (level.exists()) {
    out << "available "
        << styled(format_count(level.counts().available()),
                  level.counts().available() > 0 ? Style::kPlain : Style::kRed, terminal)
        << ", on hand " << format_count(level.counts().on_hand());
  } else {
    out << styled("no level", Style::kRed, terminal);
  }
  out << ", version " << format_count(level.version());
  if (change.versions_left_out() > 0) {
    out << styled(concat("  (", format_count(change.versions_left_out()), " versions left out)"),
                  Style::kDim, terminal);
  }
  out << '\n';
}

void print_movement(std::ostream& out, const stock::v1::Movement& movement,
                    const Terminal& terminal) {
  const bool direct = movement.kind() == stock::v1::MOVEMENT_KIND_DIRECT;
  out << styled(format_time_to_second(to_instant(movement.committed_at())), Style::kDim, terminal)
      << "  "
      << styled(
             concat(printable(movement.key().sku()), " @ ", printable(movement.key().location())),
             Style::kBold, terminal)
      << "  version " << format_count(movement.version()) << "  "
      << styled(kind_of(movement), direct ? Style::kYellow : Style::kPlain, terminal) << ' '
      << change_of(movement) << "  on hand " << format_count(movement.counts_after().on_hand());
  if (const std::string reason = printable(why(movement)); !reason.empty()) out << "  " << reason;
  if (!movement.reservation_id().empty()) out << "  reservation " << movement.reservation_id();
  out << '\n';
}

void print_written(std::ostream& out,
                   const google::protobuf::RepeatedPtrField<stock::v1::WrittenLevel>& levels,
                   const Terminal& terminal) {
  Table table({text("SKU"), text("LOCATION"), number("AVAILABLE"), number("ON HAND"),
               number("RESERVED"), number("COMMITTED"), number("VERSION")});
  for (const stock::v1::WrittenLevel& level : levels) {
    table.add({level.key().sku(), level.key().location(), stock_cell(level.counts().available()),
               format_count(level.counts().on_hand()), format_count(level.counts().reserved()),
               format_count(level.counts().committed()), format_count(level.version())});
  }
  table.print(out, terminal);
}

void print_locations(std::ostream& out,
                     const google::protobuf::RepeatedPtrField<stock::v1::Location>& locations,
                     const Terminal& terminal) {
  Table table({text("LOCATION"), text("NAME"), word("CREATED (UTC)")});
  for (const stock::v1::Location& location : locations) {
    table.add({location.id(), location.display_name(),
               format_time_to_second(to_instant(location.create_time()))});
  }
  table.print(out, terminal);
}

}  // namespace stockctl

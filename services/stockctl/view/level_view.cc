#include "stockctl/view/level_view.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>

#include "stockctl/text/concat.h"
#include "stockctl/text/format.h"
#include "stockctl/text/utf8.h"
#include "stockctl/view/flag_view.h"
#include "stockctl/view/proto_time.h"
#include "stockctl/view/provenance_view.h"

namespace stockctl {
namespace {

using stock::v1::Counts;
using stock::v1::Provenance;
using stock::v1::StockLevel;

// "  available    " and the other labels take this much.
constexpr std::size_t kLabelWidth = 15;

std::string explanation_of(const StockLevel& level) {
  if (!level.exists()) {
    return level.version() > 0 ? "no level: it was removed"
                               : "no level: nothing was ever booked here";
  }
  const Counts& counts = level.counts();
  std::string text =
      concat("on hand ", format_count(counts.on_hand()), ", reserved ",
             format_count(counts.reserved()), ", committed ", format_count(counts.committed()),
             ", safety stock ", format_count(counts.safety_stock()));
  if (counts.backorder_limit() > 0) {
    text += concat(", backorders ", format_count(counts.backorder_limit()));
  }
  return text;
}

// By the clock of the database, as it was when the answer was given.
Instant now_of(const StockLevel& level) {
  return to_instant(level.provenance().true_through()) + to_chrono(level.provenance().age());
}

std::string commit_of(const StockLevel& level) {
  const stock::v1::LevelProvenance& provenance = level.provenance();
  if (level.version() == 0 || !provenance.has_as_of()) return "no movement yet";
  const Instant committed = to_instant(provenance.as_of());
  return concat("committed ", format_time(committed), " UTC, ",
                format_duration(now_of(level) - committed), " ago");
}

// Of a level with units that are reserved.
std::string holds_of(const StockLevel& level) {
  if (!level.has_earliest_expire_time()) return "when the first of them ends is not known";
  const Instant bound = to_instant(level.earliest_expire_time());
  const std::chrono::nanoseconds left = bound - now_of(level);
  if (left < std::chrono::nanoseconds::zero()) {
    return concat("none ended before ", format_time(bound), " UTC, ", format_duration(-left),
                  " ago");
  }
  return concat("none ends before ", format_time(bound), " UTC, in ", format_duration(left));
}

std::string age_of(const StockLevel& level, const Provenance& whole) {
  constexpr auto kDateMatters = std::chrono::hours(12);
  const std::chrono::nanoseconds age = to_chrono(level.provenance().age());
  const Instant through = to_instant(level.provenance().true_through());
  return concat("true through ",
                age < kDateMatters ? format_time_of_day(through) : format_time(through), " UTC, ",
                format_age(age), " old (± ", format_age(to_chrono(whole.uncertainty())), ")");
}

class Lines {
 public:
  Lines(std::ostream& out, std::size_t value_width, const Terminal& terminal)
      : out_(out), value_width_(value_width), terminal_(terminal) {}

  void label(std::string_view name) {
    out_ << "  " << styled(name, Style::kDim, terminal_)
         << std::string(kLabelWidth - 2 - name.size(), ' ');
  }

  void line(std::string_view name, std::string_view value, Style style,
            std::string_view explanation) {
    label(name);
    out_ << styled(value, style, terminal_) << std::string(value_width_ - width_of(value) + 2, ' ')
         << explanation << '\n';
  }

 private:
  std::ostream& out_;
  std::size_t value_width_;
  const Terminal& terminal_;
};

// What the cohort sees, and by which flags.
void print_flagged(Lines& lines, const stock::v1::FlaggedAvailability& flagged, std::ostream& out,
                   const Terminal& terminal) {
  const auto age = said_ago(flagged);
  lines.line("seen by", seen(flagged), Style::kBold,
             concat(printable(flagged.cohort()),
                    age ? concat(", as was said ", format_age(*age), " ago") : ""));
  for (const auto& evaluation : flagged.evaluations()) {
    if (!evaluation.applies()) continue;
    lines.label("flag");
    out << printable(concat(evaluation.flag(), ", variant ", evaluation.variant(), " (",
                            evaluation.reason(), ")"))
        << '\n';
  }
  if (const std::string why = caveat(flagged); !why.empty()) {
    lines.label("");
    out << styled(why, Style::kYellow, terminal) << '\n';
  }
}

}  // namespace

void print_level(std::ostream& out, const stock::v1::GetStockLevelResponse& response,
                 const Terminal& terminal) {
  const StockLevel& level = response.level();
  const std::int64_t available = level.counts().available();
  const std::string count = level.exists() ? format_count(available) : "none";
  const std::string version = format_count(level.version());
  const std::string_view layer = name_of(level.provenance().layer());
  out << styled(concat(printable(level.key().sku()), " @ ", printable(level.key().location())),
                Style::kBold, terminal)
      << "\n\n";
  const std::string cohort_sees = level.has_flagged() ? seen(level.flagged()) : "";
  Lines lines(out, std::max({count.size(), version.size(), layer.size(), cohort_sees.size()}),
              terminal);
  lines.line("available", count, available > 0 ? Style::kBold : Style::kRed, explanation_of(level));
  if (level.has_flagged()) print_flagged(lines, level.flagged(), out, terminal);
  if (level.counts().reserved() > 0) {
    lines.label("holds");
    out << holds_of(level) << '\n';
  }
  lines.line("version", version, Style::kPlain, commit_of(level));
  lines.line("answered by", layer, Style::kBold, age_of(level, response.provenance()));
  lines.label("trail");
  print_trail(out, response.provenance(), kLabelWidth, terminal);
  lines.label("instance");
  out << printable(response.provenance().instance()) << '\n';
  if (level.provenance().in_transition()) {
    out << '\n'
        << styled(
               "  This version was just becoming true at that instant: nobody can say whether it "
               "or the\n  one before it was the visible one.",
               Style::kYellow, terminal)
        << '\n';
  }
  if (response.provenance().bound_missed()) {
    out << '\n'
        << styled("  Older than was asked for; no layer could do better.", Style::kYellow, terminal)
        << '\n';
  }
}

}  // namespace stockctl

#include "stockctl/view/flag_view.h"

#include <algorithm>
#include <utility>

#include "stockctl/text/concat.h"
#include "stockctl/text/format.h"
#include "stockctl/text/table.h"
#include "stockctl/text/utf8.h"
#include "stockctl/view/explain_view.h"
#include "stockctl/view/proto_time.h"

namespace stockctl {
namespace {

using stock::v1::FlaggedAvailability;

Table::Column word(std::string name) { return {std::move(name), Table::Align::kLeft, false}; }
Table::Column text(std::string name) { return {std::move(name), Table::Align::kLeft, true}; }
Table::Column number(std::string name) { return {std::move(name), Table::Align::kRight, false}; }

void add_cohort(Table& table, const FlaggedAvailability& flagged, std::int64_t available) {
  const bool less = flagged.hidden() || flagged.sale_ended() || flagged.available() < available;
  std::string cohort = flagged.cohort();
  Table::Cell sees(seen(flagged), less ? Style::kYellow : Style::kPlain);
  for (const auto& evaluation : flagged.evaluations()) {
    if (!evaluation.applies()) continue;
    table.add({std::exchange(cohort, ""), std::exchange(sees, {""}), evaluation.flag(),
               evaluation.variant(), evaluation.reason(),
               concat(format_age(to_chrono(evaluation.age())), " ago")});
  }
  if (!cohort.empty()) table.add({{cohort}, sees, {"-"}, {"-"}, {"-"}, {"-"}});
  if (const std::string why = caveat(flagged); !why.empty()) table.note(why, Style::kYellow);
}

void print_fork(std::ostream& out, const stock::v1::Fork& fork, const Terminal& terminal) {
  const auto& truth = fork.truth();
  const std::int64_t available = truth.counts().available();
  out << styled(key_of(truth.key()), Style::kBold, terminal) << ": "
      << (truth.exists() ? concat(format_count(available), " available") : "no level");
  if (fork.forked()) out << ", " << styled("FORKED", Style::kRed, terminal);
  out << '\n';
  Table table({word("COHORT"), number("SEES"), text("FLAG"), text("VARIANT"), text("REASON"),
               word("SAID")});
  for (const FlaggedAvailability& flagged : fork.cohorts()) add_cohort(table, flagged, available);
  if (!table.empty()) table.print(out, terminal);
}

}  // namespace

std::string seen(const FlaggedAvailability& flagged) {
  if (flagged.hidden()) return "hidden";
  if (flagged.sale_ended()) return "ended";
  return format_count(flagged.available());
}

std::optional<std::chrono::nanoseconds> said_ago(const FlaggedAvailability& flagged) {
  std::optional<std::chrono::nanoseconds> age;
  for (const auto& evaluation : flagged.evaluations()) {
    if (evaluation.has_age())
      age = std::max(age.value_or(std::chrono::nanoseconds(0)), to_chrono(evaluation.age()));
  }
  return age;
}

std::string caveat(const FlaggedAvailability& flagged) {
  const bool unreachable = std::ranges::any_of(
      flagged.evaluations(), [](const auto& evaluation) { return evaluation.unreachable(); });
  if (!unreachable) return "";
  const auto age = said_ago(flagged);
  return age ? concat("the flag service does not answer: so it said ", format_age(*age), " ago")
             : "the flag service does not answer: as it is without flags";
}

void print_forks(std::ostream& out, const stock::v1::ListForksResponse& response,
                 const Terminal& terminal) {
  bool first = true;
  for (const stock::v1::Fork& fork : response.forks()) {
    if (!std::exchange(first, false)) out << '\n';
    print_fork(out, fork, terminal);
  }
  if (first) out << "No cohorts contradict each other on what was lately asked for.\n";
}

}  // namespace stockctl

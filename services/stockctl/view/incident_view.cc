#include "stockctl/view/incident_view.h"

#include <string>

#include "stockctl/text/concat.h"
#include "stockctl/text/format.h"
#include "stockctl/text/utf8.h"
#include "stockctl/text/wrap.h"
#include "stockctl/view/explain_view.h"
#include "stockctl/view/proto_time.h"

namespace stockctl {
namespace {

using stock::v1::Incident;

constexpr std::size_t kUsualWidth = 80;
constexpr std::string_view kIndent = "    ";

std::string title(const Incident& incident) {
  std::string text = concat('#', incident.id(), ' ', label_of(incident.verdict()), "  ",
                            printable(incident.layer()), "  ");
  if (incident.keys() > 1) text += concat(format_count(incident.keys()), " keys, the first ");
  return text + key_of(incident.key());
}

std::string course(const Incident& incident) {
  const std::string opened = format_time_to_second(to_instant(incident.opened_at()));
  std::string text;
  if (incident.has_closed_at()) {
    text = concat(
        "closed; open from ", opened, " UTC for ",
        format_duration(to_instant(incident.closed_at()) - to_instant(incident.opened_at())));
  } else {
    text = concat("open since ", opened, " UTC");
    if (incident.keys() > 1) {
      text += concat(", on ", format_count(incident.keys_open()), " of them now");
    }
  }
  if (incident.merged_into() != 0) text += concat("; now part of #", incident.merged_into());
  text += "; told by ";
  bool first = true;
  for (const std::string& witness : incident.witnesses()) {
    if (!std::exchange(first, false)) text += ", ";
    text += printable(witness);
  }
  return text;
}

}  // namespace

std::optional<stock::v1::Verdict> verdict_named(std::string_view word) {
  for (const auto verdict :
       {stock::v1::VERDICT_STALE, stock::v1::VERDICT_MISDATED, stock::v1::VERDICT_NEVER_TRUE,
        stock::v1::VERDICT_WRONG_COUNT, stock::v1::VERDICT_AHEAD}) {
    std::string name(name_of(verdict));
    for (char& c : name) c = c == ' ' ? '_' : c;
    if (name == word) return verdict;
  }
  return std::nullopt;
}

void print_incident(std::ostream& out, const Incident& incident, const Terminal& terminal) {
  const std::size_t width = (terminal.width > 0 ? terminal.width : kUsualWidth) - kIndent.size();
  out << styled(title(incident), incident.has_closed_at() ? Style::kPlain : Style::kRed, terminal)
      << '\n';
  for (const std::string& text : {course(incident), printable(incident.evidence().words())}) {
    for (const std::string& line : wrapped(text, width)) out << kIndent << line << '\n';
  }
}

void print_incidents(std::ostream& out, const stock::v1::ListIncidentsResponse& response,
                     const Terminal& terminal) {
  for (const Incident& incident : response.incidents()) print_incident(out, incident, terminal);
  if (response.incidents().empty()) out << "No incidents.\n";
  if (!response.next_page_token().empty()) out << "There are more: --limit N.\n";
}

}  // namespace stockctl

#include "stockctl/view/provenance_view.h"

#include <algorithm>
#include <vector>

#include "stockctl/text/concat.h"
#include "stockctl/text/format.h"
#include "stockctl/text/utf8.h"
#include "stockctl/view/proto_time.h"

namespace stockctl {
namespace {

using stock::v1::Outcome;
using stock::v1::Provenance;
using stock::v1::Visit;

constexpr std::size_t kUsualWidth = 80;

struct OutcomeLook {
  std::string_view name;
  Style style;
};

OutcomeLook look_of(Outcome outcome) {
  switch (outcome) {
    case stock::v1::OUTCOME_HIT:
      return {"hit", Style::kGreen};
    case stock::v1::OUTCOME_COALESCED:
      return {"coalesced", Style::kGreen};
    case stock::v1::OUTCOME_MISS:
      return {"miss", Style::kPlain};
    case stock::v1::OUTCOME_TOO_OLD:
      return {"too old", Style::kYellow};
    case stock::v1::OUTCOME_SUPERSEDED:
      return {"superseded", Style::kYellow};
    case stock::v1::OUTCOME_CORRUPT:
      return {"corrupt", Style::kRed};
    case stock::v1::OUTCOME_ERROR:
      return {"error", Style::kRed};
    case stock::v1::OUTCOME_TIMEOUT:
      return {"timeout", Style::kRed};
    case stock::v1::OUTCOME_BREAKER_OPEN:
      return {"breaker open", Style::kRed};
    case stock::v1::OUTCOME_BYPASSED:
      return {"bypassed", Style::kDim};
    default:
      return {"not asked", Style::kDim};
  }
}

// Consecutive visits of one layer: one visit, whose keys met with different outcomes.
struct Step {
  std::vector<const Visit*> visits;
};

std::vector<Step> steps_of(const Provenance& provenance) {
  std::vector<Step> steps;
  for (const Visit& visit : provenance.trail()) {
    if (steps.empty() || steps.back().visits.front()->layer() != visit.layer()) {
      steps.emplace_back();
    }
    steps.back().visits.push_back(&visit);
  }
  return steps;
}

struct Text {
  std::string plain;
  std::string colored;

  void add(std::string_view text, Style style, const Terminal& terminal) {
    plain += text;
    colored += styled(text, style, terminal);
  }
};

Text text_of(const Step& step, const Terminal& terminal) {
  const bool counted = step.visits.size() > 1 || step.visits.front()->keys() > 1;
  Text text;
  text.add(name_of(step.visits.front()->layer()), Style::kPlain, terminal);
  std::chrono::nanoseconds time{};
  std::string_view separator = " ";
  for (const Visit* visit : step.visits) {
    text.add(separator, Style::kPlain, terminal);
    if (counted) text.add(format_count(visit->keys()) + " ", Style::kPlain, terminal);
    const OutcomeLook look = look_of(visit->outcome());
    text.add(look.name, look.style, terminal);
    time = std::max(time, to_chrono(visit->time()));
    separator = ", ";
  }
  if (time.count() > 0) text.add(" " + format_duration(time), Style::kPlain, terminal);
  return text;
}

}  // namespace

std::string_view name_of(stock::v1::Layer layer) {
  switch (layer) {
    case stock::v1::LAYER_MEMORY:
      return "memory";
    case stock::v1::LAYER_REDIS:
      return "redis";
    case stock::v1::LAYER_REPLICA:
      return "replica";
    case stock::v1::LAYER_PRIMARY:
      return "primary";
    default:
      return "unknown";
  }
}

void print_trail(std::ostream& out, const Provenance& provenance, std::size_t indent,
                 const Terminal& terminal) {
  constexpr std::string_view kArrow = " → ";
  const std::size_t width = terminal.width > 0 ? terminal.width : kUsualWidth;
  const std::string margin(indent, ' ');
  std::size_t column = indent;
  for (const Step& step : steps_of(provenance)) {
    const Text text = text_of(step, terminal);
    if (column > indent) {
      if (column + width_of(kArrow) + width_of(text.plain) > width) {
        out << '\n' << margin << "→ ";
        column = indent + 2;
      } else {
        out << kArrow;
        column += width_of(kArrow);
      }
    }
    out << text.colored;
    column += width_of(text.plain);
  }
  out << (column > indent ? "\n" : "none\n");
  for (const Visit& visit : provenance.trail()) {
    if (visit.detail().empty()) continue;
    out << margin << name_of(visit.layer()) << ": " << printable(visit.detail()) << '\n';
  }
}

void print_provenance(std::ostream& out, const Provenance& provenance, const Terminal& terminal) {
  constexpr std::string_view kTrail = "trail  ";
  out << '\n';
  if (provenance.bound_missed()) {
    out << styled("Older than was asked for; no layer could do better.", Style::kYellow, terminal)
        << '\n';
  }
  if (provenance.in_transition()) {
    out << styled(
               "Some of it was just becoming true at that instant, and may not have been visible.",
               Style::kYellow, terminal)
        << '\n';
  }
  out << "oldest " << format_age(to_chrono(provenance.age())) << " (± "
      << format_age(to_chrono(provenance.uncertainty())) << "), answered by "
      << printable(provenance.instance()) << '\n'
      << styled(kTrail, Style::kDim, terminal);
  print_trail(out, provenance, kTrail.size(), terminal);
}

void merge_provenance(Provenance& whole, const Provenance& part) {
  if (to_chrono(part.age()) > to_chrono(whole.age())) *whole.mutable_age() = part.age();
  if (to_chrono(part.uncertainty()) > to_chrono(whole.uncertainty())) {
    *whole.mutable_uncertainty() = part.uncertainty();
  }
  if (whole.instance().empty()) whole.set_instance(part.instance());
  whole.set_bound_missed(whole.bound_missed() || part.bound_missed());
  whole.set_in_transition(whole.in_transition() || part.in_transition());
  for (const Visit& visit : part.trail()) {
    const auto same = std::find_if(
        whole.mutable_trail()->begin(), whole.mutable_trail()->end(), [&](const Visit& other) {
          return other.layer() == visit.layer() && other.outcome() == visit.outcome() &&
                 other.detail() == visit.detail();
        });
    if (same == whole.mutable_trail()->end()) {
      *whole.add_trail() = visit;
      continue;
    }
    same->set_keys(same->keys() + visit.keys());
    if (to_chrono(visit.time()) > to_chrono(same->time())) *same->mutable_time() = visit.time();
  }
  std::stable_sort(whole.mutable_trail()->begin(), whole.mutable_trail()->end(),
                   [](const Visit& a, const Visit& b) { return a.layer() < b.layer(); });
}

}  // namespace stockctl

#include "stockctl/view/explain_view.h"

#include <map>
#include <string>
#include <utility>

#include "stockctl/text/concat.h"
#include "stockctl/text/format.h"
#include "stockctl/text/table.h"
#include "stockctl/text/utf8.h"
#include "stockctl/text/wrap.h"
#include "stockctl/view/flag_view.h"
#include "stockctl/view/proto_time.h"
#include "stockctl/view/tables.h"

namespace stockctl {
namespace {

using stock::v1::Counts;
using stock::v1::Finding;
using stock::v1::KeyExplanation;
using stock::v1::Statement;
using Findings = google::protobuf::RepeatedPtrField<Finding>;

constexpr std::size_t kUsualWidth = 80;
constexpr auto kDateMatters = std::chrono::hours(12);

Table::Column word(std::string name) { return {std::move(name), Table::Align::kLeft, false}; }
Table::Column text(std::string name) { return {std::move(name), Table::Align::kLeft, true}; }
Table::Column number(std::string name) { return {std::move(name), Table::Align::kRight, false}; }

Style style_of(stock::v1::Verdict verdict) {
  if (is_lie(verdict)) return Style::kRed;
  if (verdict == stock::v1::VERDICT_CURRENT) return Style::kGreen;
  return Style::kYellow;
}

bool said_something(const Statement& statement) {
  return statement.outcome() == stock::v1::OUTCOME_HIT ||
         statement.outcome() == stock::v1::OUTCOME_COALESCED;
}

std::string moment(const google::protobuf::Timestamp& time, Instant now) {
  const Instant instant = to_instant(time);
  return now - instant < kDateMatters ? format_time_of_day(instant)
                                      : format_time_to_second(instant);
}

// "120 available (on hand 126, committed 6)": what goes into it, but for what is nothing.
std::string counts_of(bool exists, const Counts& counts) {
  if (!exists) return "no level";
  std::string parts = concat("on hand ", format_count(counts.on_hand()));
  const auto add = [&](std::int64_t count, std::string_view what) {
    if (count != 0) parts += concat(", ", what, ' ', format_count(count));
  };
  add(counts.reserved(), "reserved");
  add(counts.committed(), "committed");
  add(counts.safety_stock(), "safety stock");
  add(counts.backorder_limit(), "backorders");
  return concat(format_count(counts.available()), " available (", parts, ")");
}

void print_wrapped(std::ostream& out, const std::string& text, Style style,
                   const Terminal& terminal) {
  const std::size_t width = terminal.width > 0 ? terminal.width : kUsualWidth;
  for (const std::string& line : wrapped(text, width)) {
    out << styled(line, style, terminal) << '\n';
  }
}

// As a witness outside knows it: what is available, whether anything is, or units sold.
Table::Cell claim_of(const stock::v1::Testimony& testimony) {
  const auto count = [](std::int64_t units) {
    return Table::Cell(format_count(units), units > 0 ? Style::kPlain : Style::kRed);
  };
  switch (testimony.claim_case()) {
    case stock::v1::Testimony::kCounts:
      return count(testimony.counts().available());
    case stock::v1::Testimony::kAvailable:
      return count(testimony.available());
    case stock::v1::Testimony::kInStock:
      return testimony.in_stock() ? Table::Cell("some") : Table::Cell("none", Style::kRed);
    case stock::v1::Testimony::kSold:
      return Table::Cell(concat(format_count(testimony.sold().units()), " sold"));
    default:
      return Table::Cell("none", Style::kRed);
  }
}

void add_testimony(Table& table, const Statement& statement) {
  const Instant now = to_instant(statement.asked_before());
  const std::string none = "-";
  table.add({printable(statement.witness()), claim_of(statement.testimony()),
             statement.version() > 0 ? format_count(statement.version()) : none, none,
             moment(statement.true_through(), now),
             format_age(now - to_instant(statement.true_through()))});
}

void add_row(Table& table, const Finding& finding) {
  const Statement& statement = finding.statement();
  if (statement.has_testimony()) return add_testimony(table, statement);
  if (!said_something(statement)) {
    const std::string none = "-";
    table.add({statement.witness(), none, none, none, none, none});
    return;
  }
  if (statement.has_flagged()) {
    const auto age = said_ago(statement.flagged());
    const std::string none = "-";
    table.add({statement.witness(), Table::Cell(seen(statement.flagged()), Style::kYellow), none,
               none, none, age ? format_age(*age) : none});
    return;
  }
  const Instant now = to_instant(statement.asked_before());
  const std::int64_t available = statement.counts().available();
  table.add({statement.witness(),
             statement.exists()
                 ? Table::Cell(format_count(available), available > 0 ? Style::kPlain : Style::kRed)
                 : Table::Cell("none", Style::kRed),
             format_count(statement.version()),
             statement.has_as_of() ? moment(statement.as_of(), now) : "-",
             moment(statement.true_through(), now),
             format_age(now - to_instant(statement.true_through()))});
}

void print_findings(std::ostream& out, const Findings& findings, const Terminal& terminal) {
  std::size_t indent = std::string_view("WITNESS").size();
  for (const Finding& finding : findings) {
    indent = std::max(indent, finding.statement().witness().size());
  }
  const std::size_t width = (terminal.width > 0 ? terminal.width : kUsualWidth) - indent - 2;
  Table table({word("WITNESS"), number("AVAILABLE"), number("VERSION"), text("COMMITTED"),
               word("TRUE THROUGH"), number("AGE")});
  for (const Finding& finding : findings) {
    add_row(table, finding);
    std::string words = printable(concat(label_of(finding.verdict()), ": ", finding.words()));
    for (const std::string& line : wrapped(words, width)) {
      table.note(line, style_of(finding.verdict()));
    }
    if (finding.words_then().empty()) continue;
    words = printable(concat("at that instant: ", finding.words_then()));
    for (const std::string& line : wrapped(words, width)) table.note(line);
  }
  table.print(out, terminal);
}

void print_then(std::ostream& out, const KeyExplanation& key, const google::protobuf::Timestamp& at,
                const Terminal& terminal) {
  const std::string when = concat("At ", format_time(to_instant(at)), " UTC: ");
  if (!key.has_then()) {
    print_wrapped(out, when + "pruned, nobody can say", Style::kYellow, terminal);
    return;
  }
  const auto& then = key.then();
  print_wrapped(out,
                concat(when, counts_of(then.exists(), then.counts()), ", version ",
                       format_count(then.version()),
                       then.in_transition() ? "; it was just becoming true" : ""),
                Style::kBold, terminal);
}

void print_key(std::ostream& out, const stock::v1::ExplainStockLevelResponse& response,
               const KeyExplanation& key, const Terminal& terminal) {
  out << styled(key_of(key.key()), Style::kBold, terminal) << ", by "
      << printable(response.instance()) << '\n';
  print_wrapped(out,
                concat("The ledger: ", counts_of(key.exists(), key.counts()), ", version ",
                       format_count(key.version())),
                Style::kPlain, terminal);
  if (response.has_read_time()) print_then(out, key, response.read_time(), terminal);
  out << '\n';
  print_findings(out, key.findings(), terminal);
  out << '\n';
  if (key.movements().empty()) {
    out << "Nothing ever happened to it.\n";
    return;
  }
  stock::v1::ListStockMovementsResponse history;
  *history.mutable_movements() = key.movements();
  print_history(out, history, terminal);
}

}  // namespace

std::string label_of(stock::v1::Verdict verdict) {
  std::string label(name_of(verdict));
  if (is_lie(verdict) || verdict == stock::v1::VERDICT_FORKED) {
    for (char& c : label) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return label;
}

std::string key_of(const stock::v1::Key& key) {
  return concat(printable(key.sku()), " @ ", printable(key.location()));
}

std::string_view name_of(stock::v1::Verdict verdict) {
  switch (verdict) {
    case stock::v1::VERDICT_CURRENT:
      return "current";
    case stock::v1::VERDICT_STALE:
      return "stale";
    case stock::v1::VERDICT_MISDATED:
      return "misdated";
    case stock::v1::VERDICT_NEVER_TRUE:
      return "never true";
    case stock::v1::VERDICT_WRONG_COUNT:
      return "wrong count";
    case stock::v1::VERDICT_AHEAD:
      return "ahead";
    case stock::v1::VERDICT_ABSENT:
      return "absent";
    case stock::v1::VERDICT_UNREACHABLE:
      return "unreachable";
    case stock::v1::VERDICT_INCONCLUSIVE:
      return "inconclusive";
    case stock::v1::VERDICT_UNVERIFIABLE:
      return "unverifiable";
    case stock::v1::VERDICT_FORKED:
      return "forked";
    case stock::v1::VERDICT_OVERCOUNTED:
      return "overcounted";
    case stock::v1::VERDICT_UNDERCOUNTED:
      return "undercounted";
    default:
      return "?";
  }
}

bool is_lie(stock::v1::Verdict verdict) {
  return (verdict >= stock::v1::VERDICT_STALE && verdict <= stock::v1::VERDICT_AHEAD) ||
         verdict >= stock::v1::VERDICT_OVERCOUNTED;
}

void print_explanation(std::ostream& out, const stock::v1::ExplainStockLevelResponse& response,
                       const Terminal& terminal) {
  bool first = true;
  for (const KeyExplanation& key : response.keys()) {
    if (!std::exchange(first, false)) out << '\n';
    print_key(out, response, key, terminal);
  }
  if (response.more_locations()) out << "\nThere are more locations: name one with --location.\n";
}

void print_testimonies(std::ostream& out, const stock::v1::SubmitTestimoniesResponse& response,
                       const Terminal& terminal) {
  Findings findings;
  for (const auto& judged : response.judged()) *findings.Add() = judged.finding();
  print_findings(out, findings, terminal);
}

void print_audit(std::ostream& out, const stock::v1::AuditStockLevelsResponse& response,
                 const Terminal& terminal) {
  constexpr std::size_t kIndent = 2;
  const std::size_t width = (terminal.width > 0 ? terminal.width : kUsualWidth) - kIndent;
  for (const auto& key : response.findings()) {
    for (const Finding& finding : key.findings()) {
      out << styled(key_of(key.key()), Style::kBold, terminal) << ", "
          << printable(finding.statement().witness()) << '\n';
      const std::string words =
          printable(concat(label_of(finding.verdict()), ": ", finding.words()));
      for (const std::string& line : wrapped(words, width)) {
        out << "  " << styled(line, style_of(finding.verdict()), terminal) << '\n';
      }
    }
  }
  if (!response.findings().empty()) out << '\n';
  Table table({word("WITNESS"), text("VERDICTS")});
  std::map<std::string, std::string> by_witness;
  std::vector<std::string> order;
  for (const auto& tally : response.verdicts()) {
    std::string& line = by_witness[tally.witness()];
    if (line.empty()) order.push_back(tally.witness());
    line += concat(line.empty() ? "" : ", ", format_count(tally.keys()), ' ',
                   label_of(tally.verdict()));
  }
  for (const std::string& witness : order) table.add({witness, by_witness[witness]});
  table.print(out, terminal);
}

void print_repair(std::ostream& out, const stock::v1::RepairStockLevelResponse& response,
                  const Terminal& terminal) {
  out << styled("Before", Style::kBold, terminal) << '\n';
  print_findings(out, response.before(), terminal);
  out << '\n' << styled("After", Style::kBold, terminal) << '\n';
  print_findings(out, response.after(), terminal);
}

}  // namespace stockctl

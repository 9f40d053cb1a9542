// fsck: whether a ledger keeps its invariants.

#include <CLI/App.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "stockctl/cli/commands.h"
#include "stockctl/cli/database.h"
#include "stockctl/cli/session.h"
#include "stockctl/ledger/examination.h"
#include "stockctl/text/concat.h"
#include "stockctl/text/format.h"
#include "stockctl/text/terminal.h"
#include "stockctl/text/utf8.h"

namespace stockctl {
namespace {

using Report = LedgerExamination::Report;

struct Options {
  std::string url;
  bool repair = false;
  bool yes = false;
};

void print_result(std::ostream& out, const LedgerExamination::Result& result,
                  const Terminal& terminal) {
  out << styled(result.check->name, Style::kRed, terminal) << ": not so that "
      << result.check->invariant << '\n';
  for (const auto& [subject, says] : result.first) {
    out << "  " << styled(printable(subject), Style::kBold, terminal) << ' ' << printable(says)
        << '\n';
  }
  const auto shown = static_cast<std::int64_t>(result.first.size());
  if (result.findings > shown) {
    out << "  and " << format_count(result.findings - shown) << " more\n";
  }
  out << '\n';
}

void print_report(std::ostream& out, const Report& report, const Terminal& terminal) {
  for (const auto& result : report.results) {
    if (result.findings > 0) print_result(out, result, terminal);
  }
  out << report.results.size() << " checks of " << format_count(report.levels) << " levels, "
      << format_count(report.movements) << " movements, " << format_count(report.reservations)
      << " reservations and " << format_count(report.requests) << " requests in "
      << format_duration(report.time) << ": ";
  if (report.findings() == 0) {
    out << styled("the ledger is sound", Style::kGreen, terminal) << '\n';
    return;
  }
  out << styled(concat(format_count(report.findings()), " contradictions"), Style::kRed, terminal)
      << ", " << format_count(report.repairable()) << " of which --repair can mend\n";
}

void print_json(std::ostream& out, const Report& report, std::int64_t repaired) {
  nlohmann::ordered_json checks = nlohmann::json::array();
  for (const auto& result : report.results) {
    nlohmann::ordered_json first = nlohmann::json::array();
    for (const auto& [subject, says] : result.first) {
      first.push_back({{"subject", subject}, {"says", says}});
    }
    checks.push_back({{"name", result.check->name},
                      {"invariant", result.check->invariant},
                      {"findings", result.findings},
                      {"repairable", result.repairable},
                      {"first", std::move(first)}});
  }
  const nlohmann::ordered_json document = {
      {"sound", report.findings() == 0},
      {"levels", report.levels},
      {"movements", report.movements},
      {"reservations", report.reservations},
      {"requests", report.requests},
      {"seconds", std::chrono::duration<double>(report.time).count()},
      {"repaired", repaired},
      {"checks", std::move(checks)}};
  out << document.dump(2) << '\n';
}

// How many levels were repaired; a refusal is none.
absl::StatusOr<std::int64_t> repair(const Options& options, const Report& report,
                                    LedgerExamination& ledger, Session& session) {
  if (report.repairable() == 0) return 0;
  const auto go_on = confirmed(
      options.yes,
      concat("Make what is reserved and committed what the reservations explain, on ",
             format_count(report.repairable()),
             " levels?\nEach gets a movement of kind \"direct\". Writes to them wait meanwhile."),
      session);
  if (!go_on.ok()) return go_on.status();
  if (!*go_on) return 0;
  return ledger.repair();
}

absl::StatusOr<ExitCode> examine(const Options& options, Session& session) {
  const auto ledger = LedgerExamination::connect(options.url);
  if (!ledger.ok()) {
    print_unreachable(ledger.status(), session);
    return kUsage;
  }
  auto report = (*ledger)->examine();
  if (!report.ok()) return report.status();
  std::int64_t repaired = 0;
  if (options.repair && report->findings() > 0) {
    if (!session.json) print_report(session.out(), *report, session.out_terminal());
    const auto done = repair(options, *report, **ledger, session);
    if (!done.ok()) return done.status();
    repaired = *done;
    report = (*ledger)->examine();
    if (!report.ok()) return report.status();
    if (!session.json) {
      session.out() << '\n' << format_count(repaired) << " levels repaired. What is left:\n\n";
    }
  }
  if (session.json) {
    print_json(session.out(), *report, repaired);
  } else {
    print_report(session.out(), *report, session.out_terminal());
  }
  return report->findings() == 0 ? kOk : kRefused;
}

}  // namespace

void add_fsck(CLI::App& app, Session& session) {
  CLI::App& command = *app.add_subcommand("fsck", "Check that a ledger contradicts itself nowhere");
  auto options = std::make_shared<Options>();
  add_database_url(command, options->url, "The database, as any user of the ledger");
  auto* repair =
      command.add_flag("--repair", options->repair,
                       "Mend counts that reservations do not explain (as owner or superuser)");
  command.add_flag("--yes", options->yes, "Do not ask before that")->needs(repair);
  command.footer(
      "Examples:\n"
      "  stockctl fsck --database-url postgresql://stock_reader@localhost/stock\n"
      "  stockctl fsck --repair --database-url postgresql://postgres@localhost/stock\n"
      "All checks are made in one snapshot, while the ledger is in use, and change\n"
      "nothing. A repair is a movement of kind \"direct\" of the level, with the user's\n"
      "name on it; history is never rewritten, and what only that could mend is left.\n"
      "Exit code 0 when the ledger is sound, 1 when it is not, 2 when the checks could\n"
      "not be made.");
  session.on_command(command, [options, &session]() -> absl::StatusOr<ExitCode> {
    const auto code = examine(*options, session);
    if (code.ok()) return *code;
    session.fail(code.status());
    return kUsage;
  });
}

}  // namespace stockctl

// prune: removing history that is older than it has to be kept.

#include <CLI/App.hpp>
#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

#include "stockctl/cli/commands.h"
#include "stockctl/cli/database.h"
#include "stockctl/cli/options.h"
#include "stockctl/cli/session.h"
#include "stockctl/ledger/pruning.h"
#include "stockctl/load/interrupt.h"
#include "stockctl/text/concat.h"
#include "stockctl/text/format.h"
#include "stockctl/text/progress.h"

namespace stockctl {
namespace {

struct Options {
  std::string url;
  std::chrono::nanoseconds older_than{0};
  bool dry_run = false;
};

void show(const LedgerPruning::Tally& tally, bool dry_run, Session& session) {
  if (session.json) {
    const nlohmann::ordered_json document = {
        {"horizon", tally.horizon},   {"dry_run", dry_run},
        {"complete", tally.complete}, {"movements", tally.movements},
        {"requests", tally.requests}, {"reservations", tally.reservations}};
    session.out() << document.dump(2) << '\n';
    return;
  }
  session.out() << "The horizon " << (dry_run ? "would be " : "is ") << tally.horizon << ".\n"
                << format_count(tally.movements) << " movements, " << format_count(tally.requests)
                << " requests and " << format_count(tally.reservations) << " reservations "
                << (dry_run ? "would be removed" : "removed") << ".\n";
  if (!tally.complete) session.out() << "Interrupted: the same command goes on.\n";
}

absl::StatusOr<ExitCode> prune(const Options& options, Session& session) {
  if (options.older_than < std::chrono::hours(1)) {
    return absl::InvalidArgumentError(
        "--older-than must be 1h at least: streams, tokens and repeated requests need what is "
        "younger");
  }
  const auto ledger = LedgerPruning::connect(options.url);
  if (!ledger.ok()) {
    print_unreachable(ledger.status(), session);
    return kUnavailable;
  }
  catch_interrupts();
  std::optional<Progress> progress;
  const auto tally = (*ledger)->prune(
      {.older_than = std::chrono::duration_cast<std::chrono::seconds>(options.older_than),
       .dry_run = options.dry_run},
      [&](const LedgerPruning::Tally& so_far) {
        const auto now = Progress::Clock::now();
        if (!progress) {
          progress.emplace(session.err(), session.err_terminal(), "prune", "movements",
                           so_far.total, now);
        }
        progress->update(so_far.looked_at, now);
        return !interrupted();
      });
  if (progress) progress->finish();
  if (!tally.ok()) return tally.status();
  show(*tally, options.dry_run, session);
  return tally->complete ? kOk : kInterrupted;
}

}  // namespace

void add_prune(CLI::App& app, Session& session) {
  CLI::App& command = *app.add_subcommand("prune", "Remove history that is older than needed");
  auto options = std::make_shared<Options>();
  add_database_url(command, options->url, "The database, as owner or superuser");
  add_duration(command, "--older-than", options->older_than, "Such as 90d; 1h at least")
      ->required();
  command.add_flag("--dry-run", options->dry_run, "Only say how much that would be");
  command.footer(
      "Examples:\n"
      "  stockctl prune --older-than 90d --dry-run --database-url "
      "postgresql://postgres@localhost/stock\n"
      "Moves the ledger's horizon, which never moves back, and removes what nobody needs\n"
      "from there on: movements that were superseded by then, requests that were\n"
      "answered, reservations that were closed. Levels stay, and so does what was true\n"
      "at the horizon and after it. A request that is removed is applied again when it\n"
      "is repeated. In small steps, while the ledger is in use; Ctrl-C stops between\n"
      "two of them, and the same command goes on.");
  session.on_command(command, [options, &session] { return prune(*options, session); });
}

}  // namespace stockctl

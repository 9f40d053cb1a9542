// ledger: what is done to a ledger as a whole.

#include <CLI/App.hpp>
#include <string>

#include "stockctl/cli/commands.h"
#include "stockctl/cli/database.h"
#include "stockctl/cli/session.h"
#include "stockctl/ledger/adoption.h"
#include "stockctl/text/concat.h"
#include "stockctl/text/format.h"
#include "stockctl/text/utf8.h"

namespace stockctl {
namespace {

struct AdoptOptions {
  std::string url;
  bool yes = false;
  bool force = false;
};

absl::StatusOr<ExitCode> adopt(const AdoptOptions& options, Session& session) {
  auto ledger = LedgerAdoption::connect(options.url);
  if (!ledger.ok()) {
    print_unreachable(ledger.status(), session);
    return kUnavailable;
  }
  const auto state = (*ledger)->state();
  if (!state.ok()) return state.status();
  if (state->at_home && !options.force) {
    return absl::FailedPreconditionError(concat(
        "the ledger in database \"", state->database,
        "\" was written there: there is nothing to adopt. If its transaction ids are foreign "
        "all the same, as after the database was made anew under its old number, say --force"));
  }
  if (state->writers > 0 && !options.force) {
    return absl::FailedPreconditionError(concat(
        "there are ", state->writers, " sessions of stockd or other writers in database \"",
        state->database,
        "\", which would go on by what they know of it. Stop them first; or say --force, and start "
        "them anew afterwards"));
  }
  const auto go_on = confirmed(
      options.yes,
      concat("Adopt the ledger in database \"", printable(state->database), "\" (",
             format_count(state->foreign_movements),
             " movements)?\nNo stockd may be serving it meanwhile. This cannot be undone."),
      session);
  if (!go_on.ok()) return go_on.status();
  if (!*go_on) return kRefused;
  const auto adopted = (*ledger)->adopt();
  if (!adopted.ok()) return adopted.status();
  if (session.json) {
    session.out() << concat("{\"adopted\": ", *adopted, "}\n");
  } else {
    session.out() << format_count(*adopted)
                  << " movements adopted; stockd can serve this ledger now.\n";
  }
  return kOk;
}

}  // namespace

void add_ledger(CLI::App& app, Session& session) {
  CLI::App& ledger = *app.add_subcommand("ledger", "Look after a ledger as a whole");
  ledger.require_subcommand(1);
  ledger.footer(
      "Examples:\n"
      "  stockctl ledger adopt --database-url postgresql://postgres@localhost/restored");
  CLI::App& command = *ledger.add_subcommand("adopt", "Make a restored ledger this database's own");
  auto options = std::make_shared<AdoptOptions>();
  add_database_url(command, options->url, "The database, as owner or superuser");
  command.add_flag("--yes", options->yes, "Do not ask");
  command.add_flag("--force", options->force, "Even if writers are connected or all seems ours");
  command.footer(
      "Examples:\n"
      "  stockctl ledger adopt --database-url postgresql://postgres@localhost/restored\n"
      "The transaction ids in a ledger that was restored from a dump belong to the\n"
      "database that it was dumped from, and stockd refuses to serve it. Adopting\n"
      "replaces them. Counts, versions and history stay as they are, and the tokens of\n"
      "the writes that it holds stay valid. Stop every stockd and writer before.\n"
      "Exit code 1 when there is nothing to adopt, or writers are connected.");
  session.on_command(command, [options, &session] { return adopt(*options, session); });
}

}  // namespace stockctl

// ledger: what is done to a ledger as a whole.

#include <unistd.h>

#include <CLI/App.hpp>
#include <iostream>
#include <string>

#include "stockctl/cli/commands.h"
#include "stockctl/cli/session.h"
#include "stockctl/ledger/adoption.h"
#include "stockctl/text/concat.h"
#include "stockctl/text/format.h"
#include "stockctl/text/terminal.h"
#include "stockctl/text/utf8.h"

namespace stockctl {
namespace {

struct AdoptOptions {
  std::string url;
  bool yes = false;
  bool force = false;
};

// Without a person to ask, only --yes is a yes.
absl::StatusOr<bool> confirmed(const AdoptOptions& options, const LedgerAdoption::State& state,
                               Session& session) {
  if (options.yes) return true;
  if (!is_terminal(STDIN_FILENO)) {
    return absl::InvalidArgumentError("there is nobody to ask here: say --yes");
  }
  session.err() << "Adopt the ledger in database \"" << printable(state.database) << "\" ("
                << format_count(state.foreign_movements)
                << " movements)?\nNo stockd may be serving it meanwhile. This cannot be undone. "
                << "[y/N] " << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "yes";
}

absl::StatusOr<ExitCode> adopt(const AdoptOptions& options, Session& session) {
  auto ledger = LedgerAdoption::connect(options.url);
  if (!ledger.ok()) {
    session.err() << "stockctl: no database can be reached there: "
                  << printable(message_of(ledger.status())) << '\n';
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
  const auto go_on = confirmed(options, *state, session);
  if (!go_on.ok()) return go_on.status();
  if (!*go_on) {
    session.err() << "Nothing was changed.\n";
    return kRefused;
  }
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
  CLI::App& command = *ledger.add_subcommand(
      "adopt", "Make a ledger that was restored from a dump this database's own");
  auto options = std::make_shared<AdoptOptions>();
  command.add_option("--database-url", options->url, "The database, as owner or superuser")
      ->required()
      ->envname("DATABASE_URL")
      ->type_name("URL");
  command.add_flag("--yes", options->yes, "Do not ask");
  command.add_flag("--force", options->force, "Also when nothing seems foreign");
  command.footer(
      "Examples:\n"
      "  stockctl ledger adopt --database-url postgresql://postgres@localhost/restored\n"
      "The transaction ids in a restored ledger belong to the database that it was dumped from,\n"
      "and stockd refuses to serve it. Adopting replaces them; counts, versions and history stay "
      "as\n"
      "they are, and tokens of writes that it holds stay valid.\n"
      "Exit code 1 when there is nothing to adopt.");
  session.on_command(command, [options, &session] { return adopt(*options, session); });
}

}  // namespace stockctl

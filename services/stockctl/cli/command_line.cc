#include "stockctl/cli/command_line.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "stockctl/cli/commands.h"
#include "stockctl/cli/exit_code.h"
#include "stockctl/cli/options.h"
#include "stockctl/cli/session.h"

namespace stockctl {
namespace {

void add_global_options(CLI::App& app, Session& session) {
  app.add_option("--address", session.address, "Of stockd (default 127.0.0.1:7070)")
      ->envname("STOCKCTL_ADDRESS")
      ->type_name("HOST:PORT");
  session.address = "127.0.0.1:7070";
  add_duration(app, "--deadline", session.deadline, "For each call (default 5s)");
  session.deadline = std::chrono::seconds(5);
  app.add_flag("--json", session.json, "One JSON document instead of a table");
  app.add_flag("--no-color", session.no_color, "No colors; so does the environment's NO_COLOR");
}

void add_commands(CLI::App& app, Session& session) {
  add_get(app, session);
  add_batch(app, session);
  add_total(app, session);
  add_list(app, session);
  add_check(app, session);
  add_history(app, session);
  add_watch(app, session);
  add_stream(app, session);
  add_adjust(app, session);
  add_set(app, session);
  add_move(app, session);
  add_settings(app, session);
  add_reserve(app, session);
  add_commit(app, session);
  add_release(app, session);
  add_fulfill(app, session);
  add_reservations(app, session);
  add_import(app, session);
  add_replay(app, session);
  add_fsck(app, session);
  add_prune(app, session);
  add_ledger(app, session);
  add_locations(app, session);
  add_explain(app, session);
  add_audit(app, session);
  add_repair(app, session);
  add_testify(app, session);
  add_incidents(app, session);
  add_flags(app, session);
  add_layers(app, session);
  add_layer(app, session);
  add_completion(app, session);
  add_version(app, session);
}

// The innermost command that was named.
const CLI::App& innermost(const CLI::App& app) {
  const auto commands = app.get_subcommands();
  return commands.empty() ? app : innermost(*commands.front());
}

std::string full_name(const CLI::App& app) {
  return app.get_parent() == nullptr ? "stockctl"
                                     : full_name(*app.get_parent()) + " " + app.get_name();
}

int explain_usage(const CLI::App& app, const CLI::ParseError& error, std::ostream& out,
                  std::ostream& err) {
  if (error.get_exit_code() == 0) return app.exit(error, out, err);
  const std::string name = full_name(innermost(app));
  err << name << ": " << error.what() << "\nSee: " << name << " --help\n";
  return kUsage;
}

}  // namespace

void add_version(CLI::App& app, Session& session) {
  CLI::App& version = *app.add_subcommand("version", "Print the version");
  session.on_command(version, [&session]() -> absl::StatusOr<ExitCode> {
    if (session.json) {
      session.out() << "{\"version\": \"" STOCKCTL_VERSION "\"}\n";
    } else {
      session.out() << "stockctl " STOCKCTL_VERSION "\n";
    }
    return kOk;
  });
}

int run(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
  Session session(out, err);
  CLI::App app("stockctl: stock counts, where they come from, and how old they are", "stockctl");
  app.get_formatter()->column_width(32);
  app.require_subcommand(1);
  // Global options may stand behind the command too.
  app.fallthrough();
  add_global_options(app, session);
  add_commands(app, session);
  app.footer(std::string("Examples:\n"
                         "  stockctl get LANTERN-42@LON\n"
                         "  stockctl history LANTERN-42@LON\n"
                         "  stockctl get --help\n"
                         "\n") +
             kExitCodesHelp);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return explain_usage(app, error, out, err);
  }
  if (!out.flush()) {
    err << "stockctl: the output could not be written\n";
    return kServerError;
  }
  return session.exit_code;
}

}  // namespace stockctl

// watch, stream: what changes, as it changes.

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "stockctl/cli/commands.h"
#include "stockctl/cli/options.h"
#include "stockctl/cli/session.h"
#include "stockctl/load/interrupt.h"
#include "stockctl/rpc/follow.h"
#include "stockctl/text/concat.h"
#include "stockctl/text/parse.h"
#include "stockctl/text/utf8.h"
#include "stockctl/view/json.h"
#include "stockctl/view/tables.h"

namespace stockctl {
namespace {

FollowOptions follow_options(Session& session, bool& away) {
  return {.address = session.address,
          .stop = interrupted,
          .lost = [&session, &away](const absl::Status& why) {
            if (away) return;
            away = true;
            session.err() << "stockctl: " << printable(std::string(why.message()))
                          << "; going on when there is a server again\n";
          }};
}

// Said once when the server is there again.
void back(Session& session, bool& away) {
  if (!away) return;
  away = false;
  session.err() << "stockctl: going on where it ended\n";
}

void say_reset(Session& session) {
  session.err() << "stockctl: what was said before is void; it all comes anew\n";
}

}  // namespace

void add_watch(CLI::App& app, Session& session) {
  CLI::App& watch = *app.add_subcommand("watch", "Counts, and every change of them, until Ctrl-C");
  auto words = std::make_shared<std::vector<std::string>>();
  auto whole = std::make_shared<std::string>();
  CLI::Option* keys =
      watch.add_option("KEY", *words, "SKU@LOCATION; - reads one per line")->type_name("");
  watch.add_option("--location", *whole, "All counts of a location instead")
      ->type_name("LOCATION")
      ->excludes(keys);
  watch.footer(
      "Examples:\n"
      "  stockctl watch LANTERN-42@LON MUG-RED@LON\n"
      "  stockctl watch --location LON --json | jq -c '.changes[].level'\n"
      "With --json: a line per response.");
  session.on_command(watch, [=, &session]() -> absl::StatusOr<ExitCode> {
    stock::v1::WatchStockLevelsRequest request;
    request.set_location(*whole);
    for (const std::string& word : with_standard_input(*words)) {
      *request.add_keys() = to_proto(parse_key(word, "main"));
    }
    catch_interrupts();
    bool away = false;
    const absl::Status status =
        follow(follow_options(session, away), request,
               [&](const stock::v1::WatchStockLevelsResponse& response) {
                 back(session, away);
                 if (session.json) {
                   session.out() << to_json_line(response);
                 } else {
                   if (response.reset()) say_reset(session);
                   for (const auto& change : response.changes()) {
                     print_change(session.out(), change, session.out_terminal());
                   }
                 }
                 return static_cast<bool>(session.out().flush());
               });
    if (!status.ok()) return status;
    return kOk;
  });
}

void add_stream(CLI::App& app, Session& session) {
  CLI::App& stream = *app.add_subcommand("stream", "Every movement of the ledger, until Ctrl-C");
  struct Options {
    bool from_beginning = false;
    std::string token;
    std::string location;
  };
  auto options = std::make_shared<Options>();
  CLI::Option* beginning = stream.add_flag("--from-beginning", options->from_beginning,
                                           "All that there ever was, not from now on");
  stream.add_option("--resume", options->token, "From where another one ended")
      ->type_name("TOKEN")
      ->excludes(beginning);
  stream.add_option("--location", options->location, "Only movements there")->type_name("LOCATION");
  stream.footer(
      "Examples:\n"
      "  stockctl stream --from-beginning --json > ledger.jsonl\n"
      "  token=$(tail -n 1 ledger.jsonl | jq -r .resume_token)\n"
      "  stockctl stream --resume \"$token\" --json >> ledger.jsonl\n"
      "With --json: a line per response. Without: the end tells how to go on.");
  session.on_command(stream, [=, &session]() -> absl::StatusOr<ExitCode> {
    stock::v1::StreamStockMovementsRequest request;
    request.set_location(options->location);
    if (options->from_beginning) request.set_from_beginning(true);
    if (!options->token.empty()) request.set_resume_token(options->token);
    catch_interrupts();
    bool away = false;
    std::string token;
    const absl::Status status = follow(
        follow_options(session, away), request,
        [&](const stock::v1::StreamStockMovementsResponse& response) {
          back(session, away);
          if (!response.resume_token().empty()) token = response.resume_token();
          if (session.json) {
            session.out() << to_json_line(response);
          } else {
            if (response.reset()) {
              session.err() << "stockctl: the ledger is in another incarnation: some movements may "
                               "come twice\n";
            }
            for (const auto& movement : response.movements()) {
              print_movement(session.out(), movement, session.out_terminal());
            }
          }
          return static_cast<bool>(session.out().flush());
        });
    if (!session.json && !token.empty()) session.err() << "To go on: --resume " << token << '\n';
    if (!status.ok()) return status;
    return kOk;
  });
}

}  // namespace stockctl

// incidents: what is out of step, and what was.

#include <CLI/App.hpp>
#include <algorithm>
#include <string>
#include <utility>

#include "stockctl/cli/commands.h"
#include "stockctl/cli/session.h"
#include "stockctl/load/interrupt.h"
#include "stockctl/rpc/follow.h"
#include "stockctl/text/concat.h"
#include "stockctl/text/utf8.h"
#include "stockctl/view/incident_view.h"
#include "stockctl/view/json.h"

namespace stockctl {
namespace {

struct Options {
  bool open = false;
  std::string layer;
  std::string verdict;
  std::string sku;
  int limit = 20;
  bool watch = false;
};

// What both requests ask for.
template <typename Request>
void narrow(const Options& options, Request& request) {
  request.set_layer(options.layer);
  request.set_sku(options.sku);
  if (options.verdict.empty()) return;
  const auto verdict = verdict_named(options.verdict);
  if (!verdict) {
    throw CLI::ValidationError("--verdict",
                               concat("\"", printable(options.verdict),
                                      "\" is none of stale, misdated, never_true, wrong_count, "
                                      "ahead"));
  }
  request.set_verdict(*verdict);
}

absl::StatusOr<ExitCode> list(Session& session, const Options& options) {
  stock::v1::ListIncidentsRequest request;
  narrow(options, request);
  request.set_open(options.open);
  request.set_page_size(options.limit);
  const auto response = session.client().call(request);
  if (!response.ok()) return response.status();
  session.show(*response, [&](std::ostream& out, const Terminal& terminal) {
    print_incidents(out, *response, terminal);
  });
  const bool any_open = std::ranges::any_of(
      response->incidents(), [](const auto& incident) { return !incident.has_closed_at(); });
  return any_open ? kRefused : kOk;
}

absl::StatusOr<ExitCode> watch(Session& session, const Options& options) {
  stock::v1::WatchIncidentsRequest request;
  narrow(options, request);
  catch_interrupts();
  const FollowOptions following{
      .address = session.address, .stop = interrupted, .lost = [&session](const absl::Status& why) {
        session.err() << "stockctl: " << printable(std::string(why.message()))
                      << "; beginning anew when there is a server again\n";
      }};
  const absl::Status status =
      follow(following, request, [&](const stock::v1::WatchIncidentsResponse& response) {
        if (session.json) {
          session.out() << to_json_line(response);
        } else {
          for (const auto& incident : response.incidents()) {
            print_incident(session.out(), incident, session.out_terminal());
          }
        }
        return static_cast<bool>(session.out().flush());
      });
  if (!status.ok()) return status;
  return kOk;
}

}  // namespace

void add_incidents(CLI::App& app, Session& session) {
  CLI::App& incidents =
      *app.add_subcommand("incidents", "Which layers were caught lying, and are not done yet");
  auto options = std::make_shared<Options>();
  CLI::Option* open = incidents.add_flag("--open", options->open, "Only those that are open");
  incidents.add_option("--layer", options->layer, "memory, redis, replica or primary")
      ->type_name("LAYER");
  incidents
      .add_option("--verdict", options->verdict, "stale, misdated, never_true, wrong_count, ahead")
      ->type_name("VERDICT");
  incidents.add_option("--sku", options->sku, "Only on this SKU")->type_name("SKU");
  CLI::Option* limit =
      incidents.add_option("--limit", options->limit, "So many (default 20, up to 1,000)")
          ->check(CLI::Range(1, 1000))
          ->type_name("N");
  incidents.add_flag("--watch", options->watch, "Those open, then each change, until Ctrl-C")
      ->excludes(open)
      ->excludes(limit);
  incidents.footer(
      "Examples:\n"
      "  stockctl incidents --open\n"
      "  stockctl incidents --layer redis --verdict ahead\n"
      "  stockctl incidents --watch --json | jq -c '.incidents[]'\n"
      "Newest first; the same of every instance. Exit code 1 when one that is shown is\n"
      "open.");
  session.on_command(incidents, [=, &session]() -> absl::StatusOr<ExitCode> {
    return options->watch ? watch(session, *options) : list(session, *options);
  });
}

}  // namespace stockctl

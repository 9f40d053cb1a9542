// explain, audit, repair: which layer is lying, and what to do about it.

#include <CLI/App.hpp>
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "stockctl/cli/commands.h"
#include "stockctl/cli/options.h"
#include "stockctl/cli/session.h"
#include "stockctl/text/concat.h"
#include "stockctl/text/parse.h"
#include "stockctl/text/utf8.h"
#include "stockctl/view/explain_view.h"
#include "stockctl/view/json.h"
#include "stockctl/view/layer_view.h"
#include "stockctl/view/proto_time.h"

namespace stockctl {

void add_explain(CLI::App& app, Session& session) {
  CLI::App& explain =
      *app.add_subcommand("explain", "What every layer says of a count, and who is lying");
  struct Options {
    std::string word;
    std::string location;
    std::optional<Instant> at;
    int movements = 10;
  };
  auto options = std::make_shared<Options>();
  explain.add_option("SKU", options->word, "SKU or SKU@LOCATION")->required()->type_name("");
  explain.add_option("-l,--location", options->location, "Only there (default everywhere)");
  add_instant(explain, "--at", options->at,
              "Also what was true then: 02:07 (UTC), '2 minutes ago'...");
  explain.add_option("--movements", options->movements, "So many of each (default 10, up to 100)")
      ->type_name("N");
  const auto targets = add_targets(explain);
  explain.footer(
      "Examples:\n"
      "  stockctl explain LANTERN-42@LON\n"
      "  stockctl explain LANTERN-42 --at 02:07\n"
      "  stockctl explain LANTERN-42 --target 10.0.0.1:7070 --target 10.0.0.2:7070\n"
      "FORKED is no lie: a feature flag lets a cohort see something else.\n"
      "Memory is that of the instance which is asked. With --json: a line per instance.\n"
      "Exit code 1 when a layer and the ledger contradict each other, 3 when there is no\n"
      "level of the SKU.");
  session.on_command(explain, [=, &session]() -> absl::StatusOr<ExitCode> {
    const StockKey key = parse_key(options->word, options->location);
    stock::v1::ExplainStockLevelRequest request;
    request.set_sku(key.sku);
    request.set_location(key.location);
    request.set_movements(options->movements);
    if (options->at) *request.mutable_read_time() = to_proto(*options->at);
    bool first = true;
    bool found = false;
    bool lies = false;
    const ExitCode code = for_each_target(session, *targets, [&](Client& client) -> absl::Status {
      const auto response = client.call(request);
      if (!response.ok()) return response.status();
      for (const auto& explained : response->keys()) {
        found = true;
        lies = lies || std::ranges::any_of(explained.findings(), [](const auto& finding) {
                 return is_lie(finding.verdict());
               });
      }
      if (session.json) {
        session.out() << to_json_line(*response);
        return absl::OkStatus();
      }
      if (!std::exchange(first, false)) session.out() << '\n';
      print_explanation(session.out(), *response, session.out_terminal());
      if (response->keys().empty()) {
        session.out() << "There is no level of " << printable(key.sku) << " anywhere, by "
                      << printable(response->instance()) << '\n';
      }
      return absl::OkStatus();
    });
    if (code != kOk) return code;
    return lies ? kRefused : found ? kOk : kNotFound;
  });
}

void add_audit(CLI::App& app, Session& session) {
  CLI::App& audit = *app.add_subcommand("audit", "Compare what the layers say of keys, now");
  auto words = std::make_shared<std::vector<std::string>>();
  auto all = std::make_shared<bool>(false);
  audit.add_option("KEY", *words, "SKU or SKU@LOCATION, up to 1,000; - reads one per line")
      ->required()
      ->type_name("");
  const auto location = add_location(audit);
  audit.add_flag("--all", *all, "Also findings that accuse nobody");
  audit.footer(
      "Examples:\n"
      "  stockctl audit LANTERN-42@LON MUG-RED@LON\n"
      "  stockctl list --location LON --json | jq -r '.levels[].key.sku' |\n"
      "    stockctl audit - --location LON\n"
      "Exit code 1 when a layer and the ledger contradict each other.");
  session.on_command(audit, [=, &session]() -> absl::StatusOr<ExitCode> {
    stock::v1::AuditStockLevelsRequest request;
    request.set_all(*all);
    for (const std::string& word : with_standard_input(*words)) {
      *request.add_keys() = to_proto(parse_key(word, *location));
    }
    const auto response = session.client().call(request);
    if (!response.ok()) return response.status();
    session.show(*response, [&](std::ostream& out, const Terminal& terminal) {
      print_audit(out, *response, terminal);
    });
    const bool lies = std::ranges::any_of(
        response->verdicts(), [](const auto& tally) { return is_lie(tally.verdict()); });
    return lies ? kRefused : kOk;
  });
}

void add_repair(CLI::App& app, Session& session) {
  CLI::App& repair = *app.add_subcommand("repair", "Take a copy out of a layer, or replace it");
  struct Options {
    std::string word;
    std::string layer;
    bool drop = false;
  };
  auto options = std::make_shared<Options>();
  repair.add_option("KEY", options->word, "SKU or SKU@LOCATION")->required()->type_name("");
  const auto location = add_location(repair);
  repair.add_option("--layer", options->layer, "memory (of this instance) or redis")
      ->required()
      ->type_name("LAYER");
  repair.add_flag("--drop", options->drop, "Only remove it; else the primary's takes its place");
  const auto who = add_who(repair);
  repair.footer(
      "Example:\n"
      "  stockctl repair LANTERN-42@LON --layer redis --reason \"sold out by mistake\"\n"
      "The ledger is not touched, and no incident is hidden.");
  session.on_command(repair, [=, &session]() -> absl::StatusOr<ExitCode> {
    stock::v1::RepairStockLevelRequest request;
    *request.mutable_key() = to_proto(parse_key(options->word, *location));
    request.set_layer(layer_named(options->layer).value_or(stock::v1::LAYER_UNSPECIFIED));
    request.set_action(options->drop ? stock::v1::REPAIR_ACTION_DROP
                                     : stock::v1::REPAIR_ACTION_REFRESH);
    request.set_actor(who->actor);
    request.set_reason(who->reason);
    const auto response = session.client().call(request);
    if (!response.ok()) return response.status();
    session.show(*response, [&](std::ostream& out, const Terminal& terminal) {
      print_repair(out, *response, terminal);
    });
    return kOk;
  });
}

}  // namespace stockctl

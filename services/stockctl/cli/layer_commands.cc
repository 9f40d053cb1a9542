// layers, layer: what each layer gains and costs, and its switch.

#include <CLI/App.hpp>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "stockctl/cli/commands.h"
#include "stockctl/cli/options.h"
#include "stockctl/cli/session.h"
#include "stockctl/text/concat.h"
#include "stockctl/text/utf8.h"
#include "stockctl/view/json.h"
#include "stockctl/view/layer_view.h"

namespace stockctl {
namespace {

stock::v1::Layer layer_from(const std::string& word) {
  const auto layer = layer_named(word);
  if (!layer) {
    throw CLI::ValidationError(
        "LAYER", concat("\"", printable(word), "\" is none of memory, redis, replica, primary"));
  }
  return *layer;
}

void add_switch(CLI::App& app, Session& session, const std::string& name, bool enabled,
                const std::string& help) {
  CLI::App& command = *app.add_subcommand(name, help);
  auto word = std::make_shared<std::string>();
  command.add_option("LAYER", *word, "memory, redis or replica")->required()->type_name("");
  const auto who = add_who(command);
  command.footer(concat("Example:\n  stockctl layer ", name, " redis --reason \"it lies\""));
  session.on_command(command, [=, &session]() -> absl::StatusOr<ExitCode> {
    stock::v1::UpdateLayerRequest request;
    request.set_layer(layer_from(*word));
    request.set_enabled(enabled);
    request.set_actor(who->actor);
    request.set_reason(who->reason);
    const auto response = session.client().call(request);
    if (!response.ok()) return response.status();
    session.show(*response, [&](std::ostream& out, const Terminal&) {
      print_setting(out, response->setting());
    });
    return kOk;
  });
}

void add_policy(CLI::App& app, Session& session) {
  CLI::App& command =
      *app.add_subcommand("repair", "What is done about copies that are found to be lies");
  struct Options {
    std::string layer;
    std::string policy;
  };
  auto options = std::make_shared<Options>();
  command.add_option("LAYER", options->layer, "memory or redis")->required()->type_name("");
  command
      .add_option("POLICY", options->policy,
                  "off: nothing; drop: they are removed; refresh: the primary's takes their place")
      ->required()
      ->type_name("");
  const auto who = add_who(command);
  command.footer(
      "Example:\n"
      "  stockctl layer repair redis refresh --reason \"until the bug is fixed\"\n"
      "Repairs are counted, and no incident is hidden by them.");
  session.on_command(command, [=, &session]() -> absl::StatusOr<ExitCode> {
    const auto policy = policy_named(options->policy);
    if (!policy) {
      throw CLI::ValidationError(
          "POLICY", concat("\"", printable(options->policy), "\" is none of off, drop, refresh"));
    }
    stock::v1::UpdateLayerRequest request;
    request.set_layer(layer_from(options->layer));
    request.set_repair_policy(*policy);
    request.set_actor(who->actor);
    request.set_reason(who->reason);
    const auto response = session.client().call(request);
    if (!response.ok()) return response.status();
    session.show(*response, [&](std::ostream& out, const Terminal&) {
      print_setting(out, response->setting());
    });
    return kOk;
  });
}

}  // namespace

void add_layers(CLI::App& app, Session& session) {
  CLI::App& layers = *app.add_subcommand("layers", "What each layer gains, and what it costs");
  struct Options {
    std::string without;
    std::chrono::nanoseconds over = std::chrono::seconds(2);
  };
  auto options = std::make_shared<Options>();
  const auto targets = add_targets(layers);
  CLI::Option* what_if =
      layers.add_option("--what-if", options->without, "What others would bear without this one")
          ->type_name("LAYER");
  add_duration(layers, "--over", options->over, "By the traffic of this time (default 2s)")
      ->needs(what_if);
  layers.footer(
      "Examples:\n"
      "  stockctl layers\n"
      "  stockctl layers --target 10.0.0.1:7070 --target 10.0.0.2:7070\n"
      "  stockctl layers --what-if redis --over 30s\n"
      "Counted by each instance since it started. SAVED is time that callers did not\n"
      "wait: answers times how much longer the next layer takes. With --json: a line\n"
      "per instance.");
  session.on_command(layers, [=, &session]() -> absl::StatusOr<ExitCode> {
    const bool asks = !options->without.empty();
    const auto without = asks ? layer_from(options->without) : stock::v1::LAYER_UNSPECIFIED;
    if (without == stock::v1::LAYER_PRIMARY) {
      throw CLI::ValidationError("--what-if", "there is nothing without the primary");
    }
    bool first = true;
    return for_each_target(session, *targets, [&](Client& client) -> absl::Status {
      const auto before = client.call(stock::v1::ListLayersRequest());
      if (!before.ok()) return before.status();
      auto after = before;
      if (asks) {
        std::this_thread::sleep_for(options->over);
        after = client.call(stock::v1::ListLayersRequest());
        if (!after.ok()) return after.status();
      }
      if (session.json) {
        if (asks) session.out() << to_json_line(*before);
        session.out() << to_json_line(*after);
        return absl::OkStatus();
      }
      if (!std::exchange(first, false)) session.out() << '\n';
      if (asks) {
        print_what_if(session.out(), *before, *after, without, session.out_terminal());
      } else {
        print_layers(session.out(), *after, session.out_terminal());
      }
      return absl::OkStatus();
    });
  });
}

void add_layer(CLI::App& app, Session& session) {
  CLI::App& layer = *app.add_subcommand("layer", "Switch a layer off or on, at run time");
  layer.require_subcommand(1);
  add_switch(layer, session, "disable", false,
             "Neither asked nor told anything, in all instances within a second");
  add_switch(layer, session, "enable", true, "In use again");
  add_policy(layer, session);
}

}  // namespace stockctl

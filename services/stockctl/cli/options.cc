#include "stockctl/cli/options.h"

#include <unistd.h>

#include <CLI/App.hpp>
#include <cstdlib>
#include <iostream>

#include "stockctl/files/request_id.h"
#include "stockctl/text/concat.h"
#include "stockctl/text/parse.h"
#include "stockctl/text/utf8.h"
#include "stockctl/view/proto_time.h"

namespace stockctl {
namespace {

std::chrono::nanoseconds duration_from(const std::string& name, const std::string& text) {
  const auto duration = parse_duration(text);
  if (!duration) {
    throw CLI::ValidationError(
        name, concat("\"", printable(text), "\" is not a time such as 250ms, 5s or 1m30s"));
  }
  return *duration;
}

Instant time_from(const std::string& text) {
  const auto time = parse_time(text, std::chrono::system_clock::now());
  if (!time) {
    throw CLI::ValidationError(
        "--at", concat("\"", printable(text),
                       "\" is not a time such as 2026-11-24T02:07:00Z, 02:07 or '2 minutes ago'"));
  }
  return *time;
}

std::string default_actor() {
  const char* user = std::getenv("USER");
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  return concat(user == nullptr ? "unknown" : user, '@', host);
}

}  // namespace

CLI::Option* add_duration(CLI::App& app, const std::string& name, std::chrono::nanoseconds& value,
                          const std::string& help) {
  return app
      .add_option_function<std::string>(
          name, [name, &value](const std::string& text) { value = duration_from(name, text); },
          help)
      ->type_name("TIME");
}

CLI::Option* add_instant(CLI::App& app, const std::string& name, std::optional<Instant>& value,
                         const std::string& help) {
  return app
      .add_option_function<std::string>(
          name, [&value](const std::string& text) { value = time_from(text); }, help)
      ->type_name("TIME");
}

stock::v1::Consistency ReadOptions::consistency() const {
  const int asked = int{max_staleness.has_value()} + int{fully_consistent} +
                    int{token.has_value()} + int{at.has_value()} + int{version.has_value()};
  if (asked > 1) {
    throw CLI::ValidationError("how fresh",
                               "one of --max-staleness, --fully-consistent, --at-least-as-fresh, "
                               "--at and --version can be asked for at a time");
  }
  stock::v1::Consistency consistency;
  if (max_staleness) {
    *consistency.mutable_max_staleness() = to_proto(*max_staleness);
  } else if (fully_consistent) {
    consistency.set_fully_consistent(true);
  } else if (token) {
    consistency.set_at_least_as_fresh(*token);
  } else if (at) {
    *consistency.mutable_read_time() = to_proto(*at);
  } else if (version) {
    consistency.set_version(*version);
  } else {
    consistency.set_minimize_latency(true);
  }
  consistency.set_allow_stale(allow_stale);
  return consistency;
}

std::shared_ptr<ReadOptions> add_read_options(CLI::App& app, Past past) {
  constexpr const char* kGroup = "How fresh (one of them)";
  auto options = std::make_shared<ReadOptions>();
  app.add_option_function<std::string>(
         "--max-staleness",
         [options](const std::string& text) {
           options->max_staleness = duration_from("--max-staleness", text);
         },
         "Nothing older than this, such as 500ms or 2s")
      ->type_name("TIME")
      ->group(kGroup);
  app.add_flag("--fully-consistent", options->fully_consistent, "As of now, or later")
      ->group(kGroup);
  app.add_option("--at-least-as-fresh", options->token, "Shows the write that returned this")
      ->type_name("TOKEN")
      ->group(kGroup);
  if (past != Past::kNothing) {
    add_instant(app, "--at", options->at, "As it was then: 02:07 (UTC), '2 minutes ago'...")
        ->group(kGroup);
  }
  if (past == Past::kInstantOrVersion) {
    app.add_option("--version", options->version, "As this version had it")
        ->type_name("N")
        ->group(kGroup);
  }
  app.add_flag("--allow-stale", options->allow_stale, "If that fails, what there is, and its age")
      ->group("How fresh");
  return options;
}

stock::v1::WriteContext WriteOptions::context() const {
  stock::v1::WriteContext context;
  context.set_request_id(request_id.empty() ? random_request_id() : request_id);
  context.set_reason(reason);
  context.set_reference(reference);
  context.set_actor(actor);
  return context;
}

std::shared_ptr<WriteOptions> add_bulk_write_options(CLI::App& app) {
  auto options = std::make_shared<WriteOptions>();
  options->actor = default_actor();
  app.add_option("--reason", options->reason, "Why")->group("Kept with the movement");
  app.add_option("--reference", options->reference, "Order or document: a number or a URI")
      ->group("Kept with the movement");
  app.add_option("--actor", options->actor, concat("Who (default ", options->actor, ")"))
      ->group("Kept with the movement");
  return options;
}

std::shared_ptr<WriteOptions> add_write_options(CLI::App& app) {
  auto options = add_bulk_write_options(app);
  app.add_option("--request-id", options->request_id, "A UUID; the same one is applied once")
      ->type_name("UUID")
      ->group("Kept with the movement");
  return options;
}

std::shared_ptr<Who> add_who(CLI::App& app) {
  auto who = std::make_shared<Who>();
  who->actor = default_actor();
  app.add_option("--reason", who->reason, "Why");
  app.add_option("--actor", who->actor, concat("Who (default ", who->actor, ")"));
  return who;
}

std::shared_ptr<std::vector<std::string>> add_targets(CLI::App& app) {
  auto targets = std::make_shared<std::vector<std::string>>();
  app.add_option("--target", *targets, "An instance to ask, instead of --address; may be repeated")
      ->type_name("HOST:PORT")
      ->allow_extra_args(false);
  return targets;
}

ExitCode for_each_target(Session& session, const std::vector<std::string>& targets,
                         const std::function<absl::Status(Client&)>& ask) {
  const auto failed = [&](const absl::Status& status) {
    return status.ok() ? kOk : session.fail(status);
  };
  if (targets.empty()) return failed(ask(session.client()));
  ExitCode code = kOk;
  for (const std::string& target : targets) {
    session.address = target;  // which errors name
    Client client(session.client_options());
    if (const ExitCode its = failed(ask(client)); its != kOk) code = its;
  }
  return code;
}

std::shared_ptr<std::string> add_location(CLI::App& app) {
  auto location = std::make_shared<std::string>("main");
  app.add_option("-l,--location", *location, "Where, if a key does not say (default main)")
      ->envname("STOCKCTL_LOCATION");
  return location;
}

stock::v1::Key to_proto(const StockKey& key) {
  stock::v1::Key result;
  result.set_sku(key.sku);
  result.set_location(key.location);
  return result;
}

std::vector<std::string> with_standard_input(const std::vector<std::string>& words) {
  std::vector<std::string> result;
  for (const std::string& word : words) {
    if (word != "-") {
      result.push_back(word);
      continue;
    }
    for (std::string line; std::getline(std::cin, line);) {
      if (!line.empty() && line.back() == '\r') line.pop_back();
      if (!line.empty()) result.push_back(line);
    }
  }
  return result;
}

}  // namespace stockctl

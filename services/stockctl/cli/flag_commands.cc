// flags: which cohort sees what, and which of them contradict each other.

#include <CLI/App.hpp>
#include <algorithm>
#include <string>
#include <vector>

#include "stockctl/cli/commands.h"
#include "stockctl/cli/options.h"
#include "stockctl/cli/session.h"
#include "stockctl/text/parse.h"
#include "stockctl/view/flag_view.h"

namespace stockctl {

void add_flags(CLI::App& app, Session& session) {
  CLI::App& flags =
      *app.add_subcommand("flags", "What feature flags let each cohort see, and who is misled");
  auto words = std::make_shared<std::vector<std::string>>();
  auto all = std::make_shared<bool>(false);
  flags
      .add_option("SKU", *words,
                  "SKU or SKU@LOCATION; - reads one per line (default: those on which cohorts\n"
                  "contradict each other, of those lately asked for)")
      ->type_name("");
  const auto location = add_location(flags);
  flags.add_flag("--all", *all, "Also those on which they agree, of those lately asked for");
  flags.footer(
      "Examples:\n"
      "  stockctl flags\n"
      "  stockctl flags LANTERN-42@LON MUG-RED@LON\n"
      "  stockctl flags --all --json | jq '.forks[] | select(.forked)'\n"
      "Contradictions first. Exit code 1 when there are any.");
  session.on_command(flags, [=, &session]() -> absl::StatusOr<ExitCode> {
    stock::v1::ListForksRequest request;
    for (const std::string& word : with_standard_input(*words)) {
      *request.add_keys() = to_proto(parse_key(word, *location));
    }
    request.set_all(*all || !words->empty());
    const auto response = session.client().call(request);
    if (!response.ok()) return response.status();
    session.show(*response, [&](std::ostream& out, const Terminal& terminal) {
      print_forks(out, *response, terminal);
    });
    const bool forked =
        std::ranges::any_of(response->forks(), [](const auto& fork) { return fork.forked(); });
    return forked ? kRefused : kOk;
  });
}

}  // namespace stockctl

// check: whether a cart can be sold.

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "stockctl/cli/commands.h"
#include "stockctl/cli/options.h"
#include "stockctl/cli/session.h"
#include "stockctl/text/concat.h"
#include "stockctl/text/parse.h"
#include "stockctl/view/provenance_view.h"
#include "stockctl/view/tables.h"

namespace stockctl {

void add_check(CLI::App& app, Session& session) {
  CLI::App& check = *app.add_subcommand("check", "Whether cart lines can be had");
  auto words = std::make_shared<std::vector<std::string>>();
  auto location = std::make_shared<std::string>();
  check.add_option("LINE", *words, "SKU=2 or SKU@LOCATION=2; - reads one per line")
      ->required()
      ->type_name("");
  check.add_option("-l,--location", *location, "Where, if a line does not say (default any)");
  const auto read = add_read_options(check, Past::kInstant);
  check.footer(
      "Examples:\n"
      "  stockctl check LANTERN-42=2 'MUG-RED@LON=6'\n"
      "Lines for the same key compete for the same stock, in order.\n"
      "Exit code 1 when a line cannot be had in full.");
  session.on_command(check, [=, &session]() -> absl::StatusOr<ExitCode> {
    stock::v1::CheckAvailabilityRequest request;
    *request.mutable_consistency() = read->consistency();
    for (const std::string& word : with_standard_input(*words)) {
      const auto line = parse_key_and_count(word, *location);
      if (!line.ok()) return line.status();
      if (line->count <= 0) {
        return absl::InvalidArgumentError(concat("a quantity must be above 0: ", word));
      }
      stock::v1::CartLine& sent = *request.add_lines();
      sent.set_sku(line->key.sku);
      sent.set_location(line->key.location);
      sent.set_quantity(line->count);
    }
    const auto response = session.client().call(request);
    if (!response.ok()) return response.status();
    session.show(*response, [&](std::ostream& out, const Terminal& terminal) {
      print_cart(out, *response, terminal);
      print_provenance(out, response->provenance(), terminal);
    });
    return response->available() ? kOk : kRefused;
  });
}

}  // namespace stockctl

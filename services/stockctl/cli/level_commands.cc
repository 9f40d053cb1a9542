// get, batch, total, list: what is there.

#include <CLI/App.hpp>
#include <algorithm>
#include <string>
#include <vector>

#include "stockctl/cli/commands.h"
#include "stockctl/cli/options.h"
#include "stockctl/cli/session.h"
#include "stockctl/text/parse.h"
#include "stockctl/view/level_view.h"
#include "stockctl/view/provenance_view.h"
#include "stockctl/view/tables.h"

namespace stockctl {
namespace {

// Of keys per call and of levels per page: the service's limit.
constexpr std::size_t kMaxPerCall = 1'000;

}  // namespace

void add_get(CLI::App& app, Session& session) {
  CLI::App& get = *app.add_subcommand("get", "One count, and where it comes from");
  auto word = std::make_shared<std::string>();
  get.add_option("KEY", *word, "SKU or SKU@LOCATION")->required()->type_name("");
  const auto location = add_location(get);
  auto cohort = std::make_shared<std::string>();
  get.add_option("--cohort", *cohort, "Also what feature flags let this cohort see");
  const auto read = add_read_options(get, Past::kInstantOrVersion);
  get.footer(
      "Examples:\n"
      "  stockctl get LANTERN-42 --location LON\n"
      "  stockctl get 'BANK CHARGES@LON' --fully-consistent\n"
      "  stockctl get LANTERN-42@LON --max-staleness 500ms --allow-stale\n"
      "  stockctl get LANTERN-42@LON --at '2 minutes ago'\n"
      "  stockctl get LANTERN-42@LON --version 16\n"
      "  stockctl get LANTERN-42@LON --cohort beta\n"
      "  stockctl get LANTERN-42@LON --json | jq -r .level.counts.available\n"
      "Exit code 3 when there is no such level.");
  session.on_command(get, [=, &session]() -> absl::StatusOr<ExitCode> {
    stock::v1::GetStockLevelRequest request;
    *request.mutable_key() = to_proto(parse_key(*word, *location));
    *request.mutable_consistency() = read->consistency();
    request.set_cohort(*cohort);
    const auto response = session.client().call(request);
    if (!response.ok()) return response.status();
    session.show(*response, [&](std::ostream& out, const Terminal& terminal) {
      print_level(out, *response, terminal);
    });
    return response->level().exists() ? kOk : kNotFound;
  });
}

void add_batch(CLI::App& app, Session& session) {
  CLI::App& batch = *app.add_subcommand("batch", "Many counts");
  auto words = std::make_shared<std::vector<std::string>>();
  batch.add_option("KEY", *words, "SKU or SKU@LOCATION; - reads one per line")
      ->required()
      ->type_name("");
  const auto location = add_location(batch);
  const auto read = add_read_options(batch, Past::kInstant);
  batch.footer(
      "Examples:\n"
      "  stockctl batch LANTERN-42@LON LANTERN-42@MAN MUG-RED@GLA\n"
      "  cut -d, -f1 wanted.csv | stockctl batch - --location LON");
  session.on_command(batch, [=, &session]() -> absl::StatusOr<ExitCode> {
    const std::vector<std::string> keys = with_standard_input(*words);
    stock::v1::BatchGetStockLevelsResponse whole;
    for (std::size_t first = 0; first < keys.size(); first += kMaxPerCall) {
      stock::v1::BatchGetStockLevelsRequest request;
      *request.mutable_consistency() = read->consistency();
      for (std::size_t i = first; i < std::min(first + kMaxPerCall, keys.size()); ++i) {
        *request.add_keys() = to_proto(parse_key(keys[i], *location));
      }
      const auto part = session.client().call(request);
      if (!part.ok()) return part.status();
      whole.mutable_levels()->MergeFrom(part->levels());
      merge_provenance(*whole.mutable_provenance(), part->provenance());
    }
    session.show(whole, [&](std::ostream& out, const Terminal& terminal) {
      print_levels(out, whole.levels(), terminal);
      print_provenance(out, whole.provenance(), terminal);
    });
    return kOk;
  });
}

void add_total(CLI::App& app, Session& session) {
  CLI::App& total = *app.add_subcommand("total", "A SKU summed over its locations");
  auto skus = std::make_shared<std::vector<std::string>>();
  auto locations = std::make_shared<std::vector<std::string>>();
  total.add_option("SKU", *skus, "SKUs; - reads one per line")->required()->type_name("");
  total.add_option("-l,--location", *locations, "Only these; may be repeated")
      ->allow_extra_args(false);
  const auto read = add_read_options(total, Past::kInstant);
  total.footer(
      "Examples:\n"
      "  stockctl total LANTERN-42 MUG-RED\n"
      "  stockctl total LANTERN-42 --location LON --location MAN");
  session.on_command(total, [=, &session]() -> absl::StatusOr<ExitCode> {
    stock::v1::BatchGetStockTotalsRequest request;
    for (std::string& sku : with_standard_input(*skus)) request.add_skus(std::move(sku));
    for (const std::string& location : *locations) request.add_locations(location);
    *request.mutable_consistency() = read->consistency();
    const auto response = session.client().call(request);
    if (!response.ok()) return response.status();
    session.show(*response, [&](std::ostream& out, const Terminal& terminal) {
      print_totals(out, *response, terminal);
      print_provenance(out, response->provenance(), terminal);
    });
    return kOk;
  });
}

void add_list(CLI::App& app, Session& session) {
  CLI::App& list = *app.add_subcommand("list", "Counts in order of location and SKU");
  struct Options {
    std::string location;
    std::string prefix;
    std::size_t limit = 100;
  };
  auto options = std::make_shared<Options>();
  list.add_option("-l,--location", options->location, "Only there (default everywhere)");
  list.add_option("--prefix", options->prefix, "Only SKUs that begin with this");
  list.add_option("--limit", options->limit, "At most so many (default 100; 0: all)")
      ->type_name("N");
  const auto read = add_read_options(list);
  list.footer(
      "Examples:\n"
      "  stockctl list --location LON --prefix LANTERN\n"
      "  stockctl list --limit 0 --json > levels.json");
  session.on_command(list, [=, &session]() -> absl::StatusOr<ExitCode> {
    stock::v1::ListStockLevelsRequest request;
    request.set_location(options->location);
    request.set_sku_prefix(options->prefix);
    *request.mutable_consistency() = read->consistency();
    stock::v1::ListStockLevelsResponse whole;
    const auto missing = [&] {
      const auto have = static_cast<std::size_t>(whole.levels_size());
      return options->limit == 0 ? kMaxPerCall : std::min(kMaxPerCall, options->limit - have);
    };
    do {
      request.set_page_size(static_cast<int>(missing()));
      const auto page = session.client().call(request);
      if (!page.ok()) return page.status();
      whole.mutable_levels()->MergeFrom(page->levels());
      whole.set_next_page_token(page->next_page_token());
      merge_provenance(*whole.mutable_provenance(), page->provenance());
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty() && missing() > 0);
    session.show(whole, [&](std::ostream& out, const Terminal& terminal) {
      print_levels(out, whole.levels(), terminal);
      if (!whole.next_page_token().empty()) out << "There are more: --limit 0 lists all.\n";
      print_provenance(out, whole.provenance(), terminal);
    });
    return kOk;
  });
}

}  // namespace stockctl

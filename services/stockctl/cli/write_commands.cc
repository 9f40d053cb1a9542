// adjust, set, move, settings: changing levels by hand.

#include <CLI/App.hpp>
#include <optional>
#include <string>
#include <vector>

#include "stockctl/cli/commands.h"
#include "stockctl/cli/options.h"
#include "stockctl/cli/session.h"
#include "stockctl/cli/writing.h"
#include "stockctl/text/concat.h"
#include "stockctl/text/parse.h"
#include "stockctl/view/tables.h"

namespace stockctl {
namespace {

// "SKU=+5" words; or two words, "SKU +5".
absl::StatusOr<std::vector<KeyAndCount>> parse_changes(const std::vector<std::string>& words,
                                                       const std::string& location) {
  if (words.size() == 2) {
    const absl::StatusOr<std::int64_t> change = parse_count(words[1]);
    if (change.ok()) return std::vector{KeyAndCount{parse_key(words[0], location), *change}};
  }
  std::vector<KeyAndCount> changes;
  for (const std::string& word : words) {
    absl::StatusOr<KeyAndCount> change = parse_key_and_count(word, location);
    if (!change.ok()) return change.status();
    changes.push_back(*std::move(change));
  }
  return changes;
}

// What a write of one level left.
template <typename Response>
void print_level_of(std::ostream& out, const Response& response, const Terminal& terminal) {
  google::protobuf::RepeatedPtrField<stock::v1::WrittenLevel> levels;
  *levels.Add() = response.level();
  print_written(out, levels, terminal);
}

template <typename Response>
void print_levels_of(std::ostream& out, const Response& response, const Terminal& terminal) {
  print_written(out, response.levels(), terminal);
}

}  // namespace

void add_adjust(CLI::App& app, Session& session) {
  CLI::App& adjust = *app.add_subcommand("adjust", "Add to what is on hand, or take from it");
  auto words = std::make_shared<std::vector<std::string>>();
  adjust.add_option("CHANGE", *words, "SKU=+5, SKU@LOCATION=-2; or: SKU +5")
      ->required()
      ->type_name("");
  const auto location = add_location(adjust);
  const auto write = add_write_options(adjust);
  adjust.footer(
      "Examples:\n"
      "  stockctl adjust LANTERN-42 +5 --location LON --reason delivery\n"
      "  stockctl adjust LANTERN-42@LON=-3 LANTERN-42@MAN=+3 --reason transfer\n"
      "  stockctl adjust MUG-RED@LON=-1 --reason sale --reference order/536365\n"
      "All lines are applied, or none. A read that is given the token shows this write:\n"
      "  stockctl get LANTERN-42@LON --at-least-as-fresh TOKEN");
  session.on_command(adjust, [=, &session]() -> absl::StatusOr<ExitCode> {
    const auto changes = parse_changes(*words, *location);
    if (!changes.ok()) return changes.status();
    stock::v1::AdjustStockRequest request;
    *request.mutable_context() = write->context();
    for (const KeyAndCount& change : *changes) {
      stock::v1::Adjustment& line = *request.add_lines();
      *line.mutable_key() = to_proto(change.key);
      line.set_on_hand_delta(change.count);
    }
    return stockctl::write(session, request, print_levels_of<stock::v1::AdjustStockResponse>);
  });
}

void add_set(CLI::App& app, Session& session) {
  CLI::App& set = *app.add_subcommand("set", "Replace what is on hand by what was counted");
  struct Options {
    std::string word;
    std::string count;
    std::optional<std::int64_t> expected_on_hand;
    std::optional<std::int64_t> expected_version;
  };
  auto options = std::make_shared<Options>();
  set.add_option("KEY", options->word, "SKU or SKU@LOCATION")->required()->type_name("");
  set.add_option("COUNT", options->count, "What is on hand")->required()->type_name("");
  const auto location = add_location(set);
  CLI::Option* on_hand =
      set.add_option("--expect-on-hand", options->expected_on_hand, "Only if it still is this")
          ->type_name("N");
  set.add_option("--expect-version", options->expected_version,
                 "Only if it still is this version (0: none)")
      ->type_name("N")
      ->excludes(on_hand);
  const auto write = add_write_options(set);
  set.footer(
      "Examples:\n"
      "  stockctl set LANTERN-42@LON 118 --reason 'cycle count'\n"
      "  stockctl set LANTERN-42@LON 118 --expect-version 17\n"
      "Exit code 1 when it is no longer what was expected.");
  session.on_command(set, [=, &session]() -> absl::StatusOr<ExitCode> {
    const auto count = parse_count(options->count);
    if (!count.ok()) return count.status();
    stock::v1::SetStockRequest request;
    *request.mutable_context() = write->context();
    *request.mutable_key() = to_proto(parse_key(options->word, *location));
    request.set_on_hand(*count);
    if (options->expected_on_hand) request.set_expected_on_hand(*options->expected_on_hand);
    if (options->expected_version) request.set_expected_version(*options->expected_version);
    return stockctl::write(session, request, print_level_of<stock::v1::SetStockResponse>);
  });
}

void add_move(CLI::App& app, Session& session) {
  CLI::App& move = *app.add_subcommand("move", "Take units from one location to another");
  auto words = std::make_shared<std::vector<std::string>>();
  auto to = std::make_shared<std::string>();
  move.add_option("UNITS", *words, "SKU@FROM=5")->required()->type_name("");
  move.add_option("--to", *to, "Where they go")->required()->type_name("LOCATION");
  const auto location = add_location(move);
  const auto write = add_write_options(move);
  move.footer(
      "Examples:\n"
      "  stockctl move LANTERN-42@LON=5 --to MAN --reason rebalancing\n"
      "  stockctl move LANTERN-42=5 MUG-RED=2 --location LON --to MAN\n"
      "All lines are applied, or none. What is promised to reservations stays.");
  session.on_command(move, [=, &session]() -> absl::StatusOr<ExitCode> {
    stock::v1::MoveStockRequest request;
    *request.mutable_context() = write->context();
    for (const std::string& word : *words) {
      const auto units = parse_key_and_count(word, *location);
      if (!units.ok()) return units.status();
      stock::v1::StockTransfer& line = *request.add_lines();
      line.set_sku(units->key.sku);
      line.set_from_location(units->key.location);
      line.set_to_location(*to);
      line.set_quantity(units->count);
    }
    return stockctl::write(session, request, print_levels_of<stock::v1::MoveStockResponse>);
  });
}

void add_settings(CLI::App& app, Session& session) {
  CLI::App& settings = *app.add_subcommand("settings", "What a level is sold by");
  struct Options {
    std::string word;
    std::optional<std::int64_t> safety_stock;
    std::optional<std::int64_t> backorder_limit;
    std::optional<std::int64_t> expected_version;
  };
  auto options = std::make_shared<Options>();
  settings.add_option("KEY", options->word, "SKU or SKU@LOCATION")->required()->type_name("");
  const auto location = add_location(settings);
  settings.add_option("--safety-stock", options->safety_stock, "Units that are never promised")
      ->type_name("N");
  settings
      .add_option("--backorder-limit", options->backorder_limit,
                  "Units that may be held beyond what is available")
      ->type_name("N");
  settings
      .add_option("--expect-version", options->expected_version,
                  "Only if it still is this version (0: none)")
      ->type_name("N");
  const auto write = add_write_options(settings);
  settings.footer(
      "Examples:\n"
      "  stockctl settings LANTERN-42@LON --safety-stock 5\n"
      "  stockctl settings LANTERN-42@LON --backorder-limit 20 --reason preorders\n"
      "What is not named stays as it is. stockctl get shows both.");
  session.on_command(settings, [=, &session]() -> absl::StatusOr<ExitCode> {
    stock::v1::UpdateStockSettingsRequest request;
    *request.mutable_context() = write->context();
    *request.mutable_key() = to_proto(parse_key(options->word, *location));
    if (options->safety_stock) request.set_safety_stock(*options->safety_stock);
    if (options->backorder_limit) request.set_backorder_limit(*options->backorder_limit);
    if (options->expected_version) request.set_expected_version(*options->expected_version);
    return stockctl::write(session, request,
                           print_level_of<stock::v1::UpdateStockSettingsResponse>);
  });
}

}  // namespace stockctl

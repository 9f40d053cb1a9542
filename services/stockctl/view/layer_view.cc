#include "stockctl/view/layer_view.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "stockctl/text/concat.h"
#include "stockctl/text/format.h"
#include "stockctl/text/table.h"
#include "stockctl/text/utf8.h"
#include "stockctl/view/proto_time.h"
#include "stockctl/view/provenance_view.h"

namespace stockctl {
namespace {

using stock::v1::LayerReport;
using stock::v1::LayerSetting;
using stock::v1::ListLayersResponse;

constexpr std::string_view kUnknown = "-";

Table::Column word(std::string name) { return {std::move(name), Table::Align::kLeft, false}; }
Table::Column number(std::string name) { return {std::move(name), Table::Align::kRight, false}; }

// Rounded down, so that only all of it is "100%".
std::string percent(double share) {
  if (share >= 1) return "100%";
  const auto tenths = static_cast<std::int64_t>(share * 1000);
  return concat(tenths / 10, '.', tenths % 10, '%');
}

std::string rounded(double value) {
  return format_count(static_cast<std::int64_t>(std::llround(value)));
}

Table::Cell state_of(const LayerReport& layer) {
  if (!layer.setting().enabled()) return {"off", Style::kYellow};
  if (!layer.up()) return {"down", Style::kRed};
  return std::string("on");
}

void print_gains(std::ostream& out, const ListLayersResponse& response, const Terminal& terminal) {
  Table table({word("GAINS"), word("STATE"), number("ANSWERS"), number("SHARE"), number("HITS"),
               number("READ P50"), number("SAVED"), number("DB READS SAVED")});
  for (const LayerReport& layer : response.layers()) {
    const auto& gains = layer.gains();
    table.add({std::string(name_of(layer.setting().layer())), state_of(layer),
               format_count(gains.answers()), percent(gains.answer_share()),
               gains.has_hit_ratio() ? percent(gains.hit_ratio()) : std::string(kUnknown),
               gains.has_read_time_p50() ? format_duration(to_chrono(gains.read_time_p50()))
                                         : std::string(kUnknown),
               gains.has_latency_saved() ? format_duration(to_chrono(gains.latency_saved()))
                                         : std::string(kUnknown),
               format_count(gains.database_reads_saved())});
  }
  table.print(out, terminal);
}

void print_costs(std::ostream& out, const ListLayersResponse& response, const Terminal& terminal) {
  Table table({word("COSTS"), number("EXAMINED"), number("WRONG"), number("PER MILLION"),
               number("WRONG NOW"), number("AGE P50"), number("AGE P99")});
  for (const LayerReport& layer : response.layers()) {
    const auto& costs = layer.costs();
    const auto age = [](bool known, const google::protobuf::Duration& age) {
      return known ? format_age(to_chrono(age)) : std::string(kUnknown);
    };
    table.add({std::string(name_of(layer.setting().layer())), format_count(costs.examined()),
               format_count(costs.diverged()),
               costs.has_diverged_per_million() ? rounded(costs.diverged_per_million())
                                                : std::string(kUnknown),
               Table::Cell(format_count(costs.divergent_keys()),
                           costs.divergent_keys() > 0 ? Style::kRed : Style::kPlain),
               age(costs.has_age_p50(), costs.age_p50()),
               age(costs.has_age_p99(), costs.age_p99())});
  }
  table.print(out, terminal);
}

std::string tenths(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

// What it comes to: how often it was right within a time, and what being wrong amounts to.
void print_harm(std::ostream& out, const ListLayersResponse& response, const Terminal& terminal) {
  if (response.layers().empty()) return;
  std::vector<Table::Column> columns = {word("NINES IN")};
  for (const auto& nines : response.layers(0).costs().nines()) {
    const auto window = to_chrono(nines.window());
    columns.push_back(number(window.count() == 0 ? "0 s" : format_duration(window)));
  }
  for (const char* name : {"INCIDENTS", "PER MILLION", "UNIT-SECONDS"}) {
    columns.push_back(number(name));
  }
  Table table(std::move(columns));
  for (const LayerReport& layer : response.layers()) {
    const auto& costs = layer.costs();
    std::vector<Table::Cell> row = {std::string(name_of(layer.setting().layer()))};
    for (const auto& nines : costs.nines()) {
      row.emplace_back(nines.has_nines() ? tenths(nines.nines()) : std::string(kUnknown));
    }
    row.emplace_back(format_count(costs.open_incidents()),
                     costs.open_incidents() > 0 ? Style::kRed : Style::kPlain);
    row.emplace_back(costs.has_incidents_per_million_answers()
                         ? rounded(costs.incidents_per_million_answers())
                         : std::string(kUnknown));
    row.emplace_back(rounded(costs.unit_seconds()));
    table.add(std::move(row));
  }
  table.print(out, terminal);
}

// "since 2026-11-24 02:07:09 UTC, by ana@desk: it lies".
std::string change_of(const stock::v1::SettingChange& change) {
  std::string text = concat("since ", format_time_to_second(to_instant(change.time())), " UTC");
  if (!change.actor().empty()) text += concat(", by ", change.actor());
  if (!change.reason().empty()) text += concat(": ", change.reason());
  return printable(text);
}

std::string enabled_text(const LayerSetting& setting) {
  std::string text = concat(name_of(setting.layer()), setting.enabled() ? " is on" : " is off");
  if (setting.has_switched()) text += concat(' ', change_of(setting.switched()));
  return text;
}

std::string repair_text(const LayerSetting& setting) {
  std::string text = concat("lies found in ", name_of(setting.layer()));
  switch (setting.repair_policy()) {
    case stock::v1::REPAIR_POLICY_DROP:
      text += " are dropped";
      break;
    case stock::v1::REPAIR_POLICY_REFRESH:
      text += " are replaced by what the primary says";
      break;
    default:
      text += " are left as they are";
  }
  if (setting.has_repair_policy_set()) text += concat(' ', change_of(setting.repair_policy_set()));
  return text;
}

// ---- What if

struct Flow {
  stock::v1::Layer layer = stock::v1::LAYER_UNSPECIFIED;
  bool on = true;
  double asked = 0;  // keys per second
  double hits = 0;
  double ratio = 0;  // of keys that it is asked for, those that it has
  double then = 0;   // asked, without the layer
};

bool is_database(stock::v1::Layer layer) {
  return layer == stock::v1::LAYER_REPLICA || layer == stock::v1::LAYER_PRIMARY;
}

std::vector<Flow> flows(const ListLayersResponse& before, const ListLayersResponse& after) {
  const double seconds =
      std::chrono::duration<double>(to_chrono(after.observed()) - to_chrono(before.observed()))
          .count();
  std::vector<Flow> flows;
  for (int i = 0; i < after.layers_size(); ++i) {
    const LayerReport& now = after.layers(i);
    Flow& flow = flows.emplace_back();
    flow.layer = now.setting().layer();
    flow.on = now.setting().enabled();
    // What was not seen in this time is taken from before; and a cache that was never asked has
    // nothing.
    flow.ratio =
        now.gains().has_hit_ratio() ? now.gains().hit_ratio() : (is_database(flow.layer) ? 1 : 0);
    if (i >= before.layers_size() || seconds <= 0) continue;
    const auto& then = before.layers(i).gains();
    flow.asked = static_cast<double>(now.gains().keys_asked() - then.keys_asked()) / seconds;
    flow.hits = static_cast<double>(now.gains().keys_hit() - then.keys_hit()) / seconds;
    if (flow.asked > 0) flow.ratio = flow.hits / flow.asked;
  }
  return flows;
}

}  // namespace

std::optional<stock::v1::Layer> layer_named(std::string_view word) {
  for (const auto layer : {stock::v1::LAYER_MEMORY, stock::v1::LAYER_REDIS,
                           stock::v1::LAYER_REPLICA, stock::v1::LAYER_PRIMARY}) {
    if (word == name_of(layer)) return layer;
  }
  return std::nullopt;
}

std::string_view name_of(stock::v1::RepairPolicy policy) {
  switch (policy) {
    case stock::v1::REPAIR_POLICY_OFF:
      return "off";
    case stock::v1::REPAIR_POLICY_DROP:
      return "drop";
    case stock::v1::REPAIR_POLICY_REFRESH:
      return "refresh";
    default:
      return "?";
  }
}

std::optional<stock::v1::RepairPolicy> policy_named(std::string_view word) {
  for (const auto policy : {stock::v1::REPAIR_POLICY_OFF, stock::v1::REPAIR_POLICY_DROP,
                            stock::v1::REPAIR_POLICY_REFRESH}) {
    if (word == name_of(policy)) return policy;
  }
  return std::nullopt;
}

void print_layers(std::ostream& out, const ListLayersResponse& response, const Terminal& terminal) {
  out << styled(printable(response.instance()), Style::kBold, terminal) << ", counting for "
      << format_duration(to_chrono(response.observed())) << "\n\n";
  print_gains(out, response, terminal);
  out << '\n';
  print_costs(out, response, terminal);
  out << '\n';
  print_harm(out, response, terminal);
  bool first = true;
  const auto note = [&](const std::string& text) {
    if (std::exchange(first, false)) out << '\n';
    out << styled(text, Style::kYellow, terminal) << '\n';
  };
  for (const LayerReport& layer : response.layers()) {
    if (!layer.setting().enabled()) note(enabled_text(layer.setting()));
    if (layer.setting().repair_policy() > stock::v1::REPAIR_POLICY_OFF) {
      note(repair_text(layer.setting()));
    }
  }
}

void print_setting(std::ostream& out, const LayerSetting& setting) {
  out << enabled_text(setting) << '\n';
  if (!is_database(setting.layer())) out << repair_text(setting) << '\n';
}

void print_what_if(std::ostream& out, const ListLayersResponse& before,
                   const ListLayersResponse& after, stock::v1::Layer without,
                   const Terminal& terminal) {
  std::vector<Flow> layers = flows(before, after);
  out << styled(printable(after.instance()), Style::kBold, terminal) << " without "
      << name_of(without) << ", estimated from "
      << format_duration(to_chrono(after.observed()) - to_chrono(before.observed()))
      << " of its traffic\n\n";
  double more = 0;  // that comes from the layer which is off
  double lost = 0;
  stock::v1::Layer database = stock::v1::LAYER_UNSPECIFIED;
  double database_asked = 0;
  for (Flow& flow : layers) {
    if (flow.layer == without) {
      more = lost = flow.hits;
      continue;
    }
    if (!flow.on) continue;
    flow.then = flow.asked + more;
    if (lost > 0 && is_database(flow.layer) && database == stock::v1::LAYER_UNSPECIFIED) {
      database = flow.layer;
      database_asked = flow.asked + lost;
    }
    more *= 1 - flow.ratio;
  }
  Table table({word("LAYER"), number("KEYS/S NOW"), number("KEYS/S THEN")});
  for (const Flow& flow : layers) {
    table.add({std::string(name_of(flow.layer)), rounded(flow.asked), rounded(flow.then)});
  }
  table.print(out, terminal);
  out << '\n';
  if (lost <= 0) {
    out << name_of(without) << " answered nothing in this time.\n";
    return;
  }
  out << "At worst, when no copy behind it helps, the " << name_of(database) << " is asked for "
      << rounded(database_asked) << " keys/s.\n";
}

}  // namespace stockctl

// ListLayers, UpdateLayer: what each layer gains and costs, and its switch.
#include <fmt/format.h>

#include <utility>

#include "stock/domain/key.h"
#include "stock/rpc/convert.h"
#include "stock/rpc/drift_handlers.h"
#include "stock/rpc/enums.h"
#include "stock/rpc/errors.h"

namespace stock::rpc {
namespace {

constexpr std::size_t kMaxTextBytes = 256;

v1::RepairPolicy policy_of(layers::RepairPolicy policy) {
  // Declared in the same order.
  static_assert(v1::REPAIR_POLICY_REFRESH == static_cast<int>(layers::RepairPolicy::kRefresh) + 1);
  return static_cast<v1::RepairPolicy>(static_cast<int>(policy) + 1);
}

void to_proto(const layers::Setting::Change& change, v1::SettingChange& out) {
  rpc::to_proto(change.at, *out.mutable_time());
  out.set_actor(change.actor);
  out.set_reason(change.reason);
}

void to_proto(const layers::Setting& setting, v1::LayerSetting& out) {
  out.set_layer(layer_of(setting.layer));
  out.set_enabled(setting.enabled);
  const domain::DatabaseTime never{};
  if (setting.switched.at != never) to_proto(setting.switched, *out.mutable_switched());
  out.set_repair_policy(policy_of(setting.repair));
  if (setting.repair_set.at != never) {
    to_proto(setting.repair_set, *out.mutable_repair_policy_set());
  }
}

void to_proto(const drift::LayerTally& tally, const drift::Price& price, v1::LayerGains& out) {
  out.set_keys_asked(tally.keys_asked);
  out.set_keys_hit(tally.keys_hit);
  if (price.hit_ratio) out.set_hit_ratio(*price.hit_ratio);
  out.set_answers(tally.answers);
  out.set_answer_share(price.answer_share);
  if (tally.read_time_p50) rpc::to_proto(*tally.read_time_p50, *out.mutable_read_time_p50());
  if (price.latency_saved) rpc::to_proto(*price.latency_saved, *out.mutable_latency_saved());
  out.set_database_reads_saved(price.database_reads_saved);
}

void to_proto(const drift::LayerTally& tally, const drift::Price& price, v1::LayerCosts& out) {
  out.set_examined(tally.examined);
  out.set_diverged(tally.diverged);
  if (price.diverged_per_million) out.set_diverged_per_million(*price.diverged_per_million);
  out.set_divergent_keys(tally.divergent_keys);
  if (tally.age_p50) rpc::to_proto(*tally.age_p50, *out.mutable_age_p50());
  if (tally.age_p99) rpc::to_proto(*tally.age_p99, *out.mutable_age_p99());
  for (std::size_t i = 0; i < tally.consistency.size(); ++i) {
    v1::LayerCosts::Nines& nines = *out.add_nines();
    rpc::to_proto(tally.consistency[i].window, *nines.mutable_window());
    if (price.nines[i]) nines.set_nines(*price.nines[i]);
  }
  out.set_open_incidents(tally.incidents_open);
  if (price.incidents_per_million_answers) {
    out.set_incidents_per_million_answers(*price.incidents_per_million_answers);
  }
  out.set_unit_seconds(tally.unit_seconds);
}

using ListCall = UnaryCall<v1::ListLayersRequest, v1::ListLayersResponse>;

void list(const DriftRooms& rooms, ListCall& call) {
  list_layers(rooms, call.response());
  call.finish(grpc::Status::OK);
}

// ---- UpdateLayer

using UpdateCall = UnaryCall<v1::UpdateLayerRequest, v1::UpdateLayerResponse>;

std::optional<Failure> parse(const v1::UpdateLayerRequest& request, layers::SettingChange& out) {
  out.layer = name_of(request.layer());
  if (out.layer.empty())
    return bad_field("layer", "must be one of memory, redis, replica, primary");
  if (!request.has_enabled() && !request.has_repair_policy()) {
    return bad_field("enabled", "nothing is to change: set this or repair_policy");
  }
  if (request.has_enabled()) {
    if (!request.enabled() && request.layer() == v1::LAYER_PRIMARY) {
      return bad_field("enabled",
                       "the primary cannot be disabled: it is the ledger that the others hold "
                       "copies of");
    }
    out.enabled = request.enabled();
  }
  if (request.has_repair_policy()) {
    if (request.repair_policy() < v1::REPAIR_POLICY_OFF ||
        request.repair_policy() > v1::REPAIR_POLICY_REFRESH) {
      return bad_field("repair_policy", "must be OFF, DROP or REFRESH");
    }
    if (request.layer() == v1::LAYER_REPLICA || request.layer() == v1::LAYER_PRIMARY) {
      return bad_field("repair_policy", "only copies in memory and redis can be repaired");
    }
    out.repair = static_cast<layers::RepairPolicy>(request.repair_policy() - 1);
  }
  for (const auto& [field, value] :
       {std::pair("actor", &request.actor()), std::pair("reason", &request.reason())}) {
    const auto status = domain::validate_text(field, *value, kMaxTextBytes);
    if (!status.ok()) return bad_field(field, std::string(status.message()));
  }
  out.actor = request.actor();
  out.reason = request.reason();
  return std::nullopt;
}

void update(const DriftRooms& rooms, UpdateCall& call) {
  layers::SettingChange change;
  if (const auto wrong = parse(call.request(), change)) return call.finish(to_status(*wrong));
  rooms.settings.change(std::move(change), [&call](absl::StatusOr<layers::Setting> setting) {
    if (!setting.ok()) return call.finish(to_status(backend_failure(setting.status())));
    to_proto(*setting, *call.response().mutable_setting());
    call.finish(grpc::Status::OK);
  });
}

}  // namespace

void list_layers(const DriftRooms& rooms, v1::ListLayersResponse& response) {
  response.set_instance(rooms.instance);
  to_proto(rooms.clock.now() - rooms.started_at, *response.mutable_observed());
  std::vector<drift::LayerTally> tallies = rooms.tallies.tallies();
  std::vector<layers::Setting> settings;
  for (std::size_t i = 0; i < tallies.size(); ++i) {
    tallies[i].in_use = settings.emplace_back(rooms.switches[i]->setting()).enabled;
  }
  const std::vector<drift::Price> prices = drift::prices(tallies);
  for (std::size_t i = 0; i < tallies.size(); ++i) {
    v1::LayerReport& layer = *response.add_layers();
    to_proto(settings[i], *layer.mutable_setting());
    layer.set_up(tallies[i].up);
    to_proto(tallies[i], prices[i], *layer.mutable_gains());
    to_proto(tallies[i], prices[i], *layer.mutable_costs());
  }
}

void DriftHandlers::attach_layers(Server& server) {
  DRIFT_RPC(server, ListLayers, list);
  DRIFT_RPC(server, UpdateLayer, update);
}

}  // namespace stock::rpc

// ExplainStockLevel, AuditStockLevels, RepairStockLevel: what the witnesses say of keys, when
// somebody asks.
#include <fmt/format.h>

#include <map>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "stock/drift/words.h"
#include "stock/rpc/convert.h"
#include "stock/rpc/drift_handlers.h"
#include "stock/rpc/enums.h"
#include "stock/rpc/errors.h"
#include "stock/rpc/finding.h"
#include "stock/rpc/flag_findings.h"
#include "stock/rpc/instant.h"
#include "stock/rpc/testimony.h"

namespace stock::rpc {
namespace {

constexpr int kMaxKeys = 1000;
constexpr std::int32_t kUsualMovements = 10;
constexpr std::int32_t kMaxMovements = 100;
constexpr std::size_t kMaxTextBytes = 256;

// ---- ExplainStockLevel

using ExplainCall = UnaryCall<v1::ExplainStockLevelRequest, v1::ExplainStockLevelResponse>;

std::optional<Failure> parse(const v1::ExplainStockLevelRequest& request, drift::Question& out) {
  if (const auto status = domain::validate_name("sku", request.sku()); !status.ok()) {
    return bad_field("sku", std::string(status.message()));
  }
  const auto status = domain::validate_text("location", request.location(), domain::kMaxNameBytes);
  if (!status.ok()) return bad_field("location", std::string(status.message()));
  if (request.movements() < 0 || request.movements() > kMaxMovements) {
    return bad_field("movements", fmt::format("must be between 1 and {}, or 0 for {}",
                                              kMaxMovements, kUsualMovements));
  }
  out.sku = request.sku();
  out.location = request.location();
  out.movements = request.movements() == 0 ? kUsualMovements : request.movements();
  if (!request.has_read_time()) return std::nullopt;
  return from_proto(request.read_time(), "read_time", out.at.emplace());
}

void to_proto(const layers::PastLevel& then, v1::PastLevel& out) {
  out.set_exists(then.reading.exists);
  rpc::to_proto(then.reading.counts, *out.mutable_counts());
  out.set_version(then.reading.version);
  if (then.reading.version > 0) rpc::to_proto(then.reading.as_of, *out.mutable_as_of());
  out.set_in_transition(then.in_transition);
}

void explain(const DriftRooms& rooms, ExplainCall& call) {
  drift::Question question;
  if (const auto wrong = parse(call.request(), question)) return call.finish(to_status(*wrong));
  rooms.examiner.explain(
      question, call.deadline(),
      [&rooms, &call, question](const absl::StatusOr<drift::Explanation>& explanation) {
        if (!explanation.ok()) return call.finish(to_status(backend_failure(explanation.status())));
        fill_explanation(rooms, question, *explanation, call.response());
        add_flag_findings(rooms, call.deadline(), call.response(),
                          [&call] { call.finish(grpc::Status::OK); });
      });
}

// ---- AuditStockLevels

using AuditCall = UnaryCall<v1::AuditStockLevelsRequest, v1::AuditStockLevelsResponse>;

std::optional<Failure> parse(const v1::AuditStockLevelsRequest& request,
                             std::vector<domain::Key>& keys) {
  if (request.keys().empty() || request.keys_size() > kMaxKeys) {
    return bad_field("keys", fmt::format("must have 1 to {} keys", kMaxKeys));
  }
  absl::flat_hash_set<domain::Key> seen;
  for (int i = 0; i < request.keys_size(); ++i) {
    const std::string field = fmt::format("keys[{}]", i);
    if (auto wrong = from_proto(request.keys(i), field, keys.emplace_back())) return wrong;
    if (!seen.insert(keys.back()).second) return bad_field(field, "stands there twice");
  }
  return std::nullopt;
}

void fill(const DriftRooms& rooms, const std::vector<domain::Key>& keys,
          const drift::CrossExamination::Findings& findings, bool all,
          v1::AuditStockLevelsResponse& response) {
  response.set_instance(rooms.instance);
  const std::vector<std::string_view> names = rooms.examiner.witnesses();
  std::vector<std::map<drift::Verdict, std::int64_t>> tallies(names.size());
  for (std::size_t k = 0; k < keys.size(); ++k) {
    v1::KeyFindings* of_key = nullptr;
    for (std::size_t w = 0; w < names.size(); ++w) {
      const drift::Finding& finding = findings[w][k];
      ++tallies[w][finding.judgement.verdict];
      if (!all && !drift::diverges(finding.judgement.verdict)) continue;
      if (of_key == nullptr) {
        of_key = response.add_findings();
        rpc::to_proto(keys[k], *of_key->mutable_key());
      }
      rpc::to_proto(finding, names[w], rooms.instance, nullptr, *of_key->add_findings());
    }
  }
  for (std::size_t w = 0; w < names.size(); ++w) {
    for (const auto& [verdict, count] : tallies[w]) {
      v1::VerdictTally& tally = *response.add_verdicts();
      tally.set_witness(std::string(names[w]));
      tally.set_verdict(verdict_of(verdict));
      tally.set_keys(count);
    }
  }
}

void audit(const DriftRooms& rooms, AuditCall& call) {
  std::vector<domain::Key> keys;
  if (const auto wrong = parse(call.request(), keys)) return call.finish(to_status(*wrong));
  rooms.examiner.audit(
      keys, call.deadline(),
      [&rooms, &call, keys](const absl::StatusOr<drift::CrossExamination::Findings>& findings) {
        if (!findings.ok()) return call.finish(to_status(backend_failure(findings.status())));
        fill(rooms, keys, *findings, call.request().all(), call.response());
        call.finish(grpc::Status::OK);
      });
}

// ---- RepairStockLevel

using RepairCall = UnaryCall<v1::RepairStockLevelRequest, v1::RepairStockLevelResponse>;

std::optional<Failure> parse(const v1::RepairStockLevelRequest& request,
                             drift::Repairer::Order& out) {
  if (auto wrong = from_proto(request.key(), "key", out.keys.emplace_back())) return wrong;
  if (request.layer() != v1::LAYER_MEMORY && request.layer() != v1::LAYER_REDIS) {
    return bad_field("layer",
                     "must be memory or redis: the databases hold no copies that could be repaired "
                     "from here");
  }
  if (request.action() != v1::REPAIR_ACTION_DROP && request.action() != v1::REPAIR_ACTION_REFRESH) {
    return bad_field("action", "must be DROP or REFRESH");
  }
  for (const auto& [field, value] :
       {std::pair("actor", &request.actor()), std::pair("reason", &request.reason())}) {
    const auto status = domain::validate_text(field, *value, kMaxTextBytes);
    if (!status.ok()) return bad_field(field, std::string(status.message()));
  }
  out.layer = name_of(request.layer());
  out.action = request.action() == v1::REPAIR_ACTION_DROP ? layers::RepairPolicy::kDrop
                                                          : layers::RepairPolicy::kRefresh;
  out.actor = request.actor();
  out.reason = request.reason();
  return std::nullopt;
}

void repair(const DriftRooms& rooms, RepairCall& call) {
  drift::Repairer::Order order;
  if (const auto wrong = parse(call.request(), order)) return call.finish(to_status(*wrong));
  rooms.examiner.repair(std::move(order), call.deadline(),
                        [&rooms, &call](const absl::StatusOr<drift::Examiner::Repaired>& repaired) {
                          if (!repaired.ok()) {
                            Failure failure = backend_failure(repaired.status());
                            if (absl::IsNotFound(repaired.status())) {
                              failure.code = grpc::StatusCode::NOT_FOUND;
                              failure.reason = "COPIES_NOT_KEPT";
                            }
                            return call.finish(to_status(failure));
                          }
                          v1::RepairStockLevelResponse& response = call.response();
                          response.set_instance(rooms.instance);
                          const std::vector<std::string_view> names = rooms.examiner.witnesses();
                          for (std::size_t w = 0; w < names.size(); ++w) {
                            rpc::to_proto(repaired->before[w].front(), names[w], rooms.instance,
                                          nullptr, *response.add_before());
                            rpc::to_proto(repaired->after[w].front(), names[w], rooms.instance,
                                          nullptr, *response.add_after());
                          }
                          call.finish(grpc::Status::OK);
                        });
}

}  // namespace

void fill_explanation(const DriftRooms& rooms, const drift::Question& question,
                      const drift::Explanation& explanation,
                      v1::ExplainStockLevelResponse& response) {
  response.set_instance(rooms.instance);
  if (question.at) rpc::to_proto(*question.at, *response.mutable_read_time());
  response.set_more_locations(explanation.more);
  const std::vector<std::string_view> names = rooms.examiner.witnesses();
  for (const drift::KeyExplanation& key : explanation.keys) {
    v1::KeyExplanation& out = *response.add_keys();
    rpc::to_proto(key.key, *out.mutable_key());
    out.set_exists(key.truth.exists);
    rpc::to_proto(key.truth.counts, *out.mutable_counts());
    out.set_version(key.newest);
    for (std::size_t w = 0; w < names.size(); ++w) {
      v1::Finding& finding = *out.add_findings();
      const auto& successor = key.successors[w];
      rpc::to_proto(key.findings[w], names[w], rooms.instance, successor ? &*successor : nullptr,
                    finding);
      if (question.at) finding.set_words_then(drift::words_at(key.findings[w], *question.at));
    }
    for (const drift::KeyExplanation::Outside& outside : key.outside) {
      v1::Finding& finding = *out.add_findings();
      const auto& successor = outside.successor;
      to_proto(outside.told, outside.judged, successor ? &*successor : nullptr, key.asked, finding);
      if (question.at && outside.told.testimony.extent != drift::Extent::kSold) {
        finding.set_words_then(drift::words_at(outside.judged.finding, *question.at));
      }
    }
    if (key.then) to_proto(*key.then, *out.mutable_then());
    for (const domain::Movement& movement : key.movements) {
      rpc::to_proto(movement, *out.add_movements());
    }
    out.set_earlier_movements(key.earlier);
  }
}

void DriftHandlers::attach_explaining(Server& server) {
  DRIFT_RPC(server, ExplainStockLevel, explain);
  DRIFT_RPC(server, AuditStockLevels, audit);
  DRIFT_RPC(server, RepairStockLevel, repair);
}

}  // namespace stock::rpc

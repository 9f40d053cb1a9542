// ListIncidents, WatchIncidents: what is out of step, and what was.
#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "stock/rpc/convert.h"
#include "stock/rpc/drift_handlers.h"
#include "stock/rpc/enums.h"
#include "stock/rpc/errors.h"
#include "stock/rpc/finding.h"
#include "stock/rpc/page_token.h"
#include "stock/rpc/server_stream.h"

namespace stock::rpc {
namespace {

void to_proto(const drift::Incident& incident, v1::Incident& out) {
  const drift::Finding& finding = incident.finding;
  out.set_id(incident.id);
  out.set_layer(incident.layer);
  out.set_verdict(verdict_of(finding.judgement.verdict));
  rpc::to_proto(incident.key, *out.mutable_key());
  const std::string& first = incident.witnesses.front();
  const std::size_t at = first.find('@');
  rpc::to_proto(finding, incident.layer, at == std::string::npos ? "" : first.substr(at + 1),
                nullptr, *out.mutable_evidence());
  out.set_superseded_by(finding.judgement.superseded_by);
  out.set_truth_exists(finding.truth.exists);
  rpc::to_proto(finding.truth.counts, *out.mutable_truth());
  out.set_truth_version(finding.newest);
  out.mutable_witnesses()->Assign(incident.witnesses.begin(), incident.witnesses.end());
  out.set_keys(incident.keys);
  out.set_keys_open(incident.keys_open());
  out.set_grouped(incident.grouped);
  rpc::to_proto(incident.opened_at, *out.mutable_opened_at());
  rpc::to_proto(incident.last_seen_at, *out.mutable_last_seen_at());
  if (incident.closed_at) rpc::to_proto(*incident.closed_at, *out.mutable_closed_at());
  out.set_merged_into(incident.merged_into);
}

// Of either request.
template <typename Request>
std::optional<Failure> parse(const Request& request, drift::IncidentQuery& out) {
  for (const auto& [field, value] :
       {std::pair("layer", &request.layer()), std::pair("sku", &request.sku())}) {
    const auto status = domain::validate_text(field, *value, domain::kMaxNameBytes);
    if (!status.ok()) return bad_field(field, std::string(status.message()));
  }
  out.layer = request.layer();
  out.sku = request.sku();
  if (request.verdict() == v1::VERDICT_UNSPECIFIED) return std::nullopt;
  for (std::size_t i = 0; i < drift::kVerdicts; ++i) {
    const auto verdict = static_cast<drift::Verdict>(i);
    if (drift::diverges(verdict) && verdict_of(verdict) == request.verdict()) {
      out.verdict = verdict;
      return std::nullopt;
    }
  }
  return bad_field("verdict", "must be one of those that contradict the ledger");
}

// ---- ListIncidents

using ListCall = UnaryCall<v1::ListIncidentsRequest, v1::ListIncidentsResponse>;

std::string query_text(const v1::ListIncidentsRequest& request) {
  return fmt::format("incidents {} {} {} {} {}", request.open(), request.layer().size(),
                     request.layer(), static_cast<int>(request.verdict()), request.sku());
}

std::optional<Failure> parse_list(const v1::ListIncidentsRequest& request,
                                  drift::IncidentQuery& out) {
  if (auto wrong = parse(request, out)) return wrong;
  out.open_only = request.open();
  if (!request.page_token().empty()) {
    const auto position = read_page_token(query_text(request), request.page_token());
    if (!position || position->size() != 1 || !absl::SimpleAtoi(position->front(), &out.before)) {
      return bad_field("page_token",
                       "is not one of this listing; begin without one, or leave the request as it "
                       "was");
    }
  }
  return page_size_from(request.page_size(), out.limit);
}

void list(const DriftRooms& rooms, ListCall& call) {
  drift::IncidentQuery query;
  if (const auto wrong = parse_list(call.request(), query)) return call.finish(to_status(*wrong));
  rooms.incidents.list(
      std::move(query), call.deadline(), [&call](const absl::StatusOr<drift::IncidentPage>& page) {
        if (!page.ok()) return call.finish(to_status(backend_failure(page.status())));
        fill_incidents(*page, call.response());
        if (page->more) {
          call.response().set_next_page_token(make_page_token(
              query_text(call.request()), {std::to_string(page->incidents.back().id)}));
        }
        call.finish(grpc::Status::OK);
      });
}

// ---- WatchIncidents

using WatchResponse = v1::WatchIncidentsResponse;
using Source = StreamSource<WatchResponse>;
using Waker = std::shared_ptr<StreamLoop::Waker>;

// One that is watched and not open matches too.
class IncidentWatch final : public Source {
 public:
  IncidentWatch(const DriftRooms& rooms, drift::IncidentQuery query, const Waker& waker)
      : board_(rooms.incident_board),
        query_(std::move(query)),
        handle_(board_.watch([waker] { waker->wake(); })) {}

  Next next(WatchResponse& response, bool /*tick*/) override {
    if (draining_) return Next::kEnd;
    const auto news = board_.news(seen_);
    if (!news) return Next::kNothing;
    seen_ = news->place;
    for (const auto& incident : news->incidents) {
      if (matches(*incident, query_)) to_proto(*incident, *response.add_incidents());
    }
    response.set_initial(news->initial);
    const bool says = response.initial() || !response.incidents().empty();
    return says ? Next::kMessage : Next::kNothing;
  }

  grpc::Status end(grpc::ServerContext& /*context*/) override {
    return to_status({.code = grpc::StatusCode::UNAVAILABLE,
                      .reason = "SHUTTING_DOWN",
                      .message = "the server is shutting down: begin anew with another one",
                      .violations = {},
                      .metadata = {},
                      .retry_after = std::chrono::milliseconds(100)});
  }

  void drain() override { draining_ = true; }

 private:
  const drift::IncidentBoard& board_;
  const drift::IncidentQuery query_;
  const drift::IncidentBoard::Handle handle_;
  std::optional<std::uint64_t> seen_;
  bool draining_ = false;
};

}  // namespace

void fill_incidents(const drift::IncidentPage& page, v1::ListIncidentsResponse& response) {
  for (const drift::Incident& incident : page.incidents) {
    to_proto(incident, *response.add_incidents());
  }
}

void DriftHandlers::attach_incidents(Server& server) {
  DRIFT_RPC(server, ListIncidents, list);
  server.add_stream<v1::WatchIncidentsRequest, WatchResponse>(
      kDriftService, "WatchIncidents",
      [this](auto... arguments) { service_.RequestWatchIncidents(arguments...); },
      [this](const v1::WatchIncidentsRequest& request, const Waker& waker,
             grpc::Status& status) -> std::unique_ptr<Source> {
        drift::IncidentQuery query;
        if (const auto wrong = parse(request, query)) {
          status = to_status(*wrong);
          return nullptr;
        }
        return std::make_unique<IncidentWatch>(rooms_, std::move(query), waker);
      });
}

}  // namespace stock::rpc

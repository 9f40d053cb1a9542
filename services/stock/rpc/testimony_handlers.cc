// SubmitTestimonies, StreamTestimonies: what layers outside the service believe, and what the
// ledger says of that.
#include <utility>

#include "stock/rpc/answer.h"
#include "stock/rpc/bidi_stream.h"
#include "stock/rpc/convert.h"
#include "stock/rpc/drift_handlers.h"
#include "stock/rpc/errors.h"
#include "stock/rpc/testimony.h"

namespace stock::rpc {
namespace {

using SubmitCall = UnaryCall<v1::SubmitTestimoniesRequest, v1::SubmitTestimoniesResponse>;

void fill_truth(const DriftRooms& rooms, const drift::Told& told, const drift::Judged& judged,
                domain::LocalTime now, std::optional<domain::Age>& oldest, v1::StockLevel& out) {
  const drift::VersionFact& truth = judged.finding.truth;
  const domain::Reading reading{.exists = truth.exists,
                                .version = judged.finding.newest,
                                .counts = truth.counts,
                                .earliest_expiry = {},
                                .as_of = truth.committed_at,
                                .true_through = judged.true_through,
                                .layer = judged.by_memory ? "memory" : "primary"};
  const auto age = rooms.database_clock.age(judged.true_through, now);
  if (age) domain::include(oldest, *age);
  to_proto(told.testimony.key, reading, age ? age->age : std::chrono::microseconds(0), out);
}

void fill(const DriftRooms& rooms, const drift::TestimonyDesk::Heard& heard,
          v1::SubmitTestimoniesResponse& response) {
  response.set_instance(rooms.instance);
  const domain::LocalTime now = rooms.clock.now();
  std::optional<domain::Age> oldest;
  domain::Visit memory{.layer = "memory"};
  domain::Visit primary{.layer = "primary"};
  for (std::size_t i = 0; i < heard.told.size(); ++i) {
    const drift::Told& told = heard.told[i];
    const drift::Judged& judged = heard.judged[i];
    v1::JudgedTestimony& out = *response.add_judged();
    to_proto(told, judged, nullptr, std::nullopt, *out.mutable_finding());
    (judged.by_memory ? memory : primary).add(domain::Outcome::kHit, 1);
    if (told.testimony.extent == drift::Extent::kSold) {
      out.set_sold_at_least(judged.sold.at_least);
      out.set_sold_at_most(judged.sold.at_most);
    } else {
      fill_truth(rooms, told, judged, now, oldest, *out.mutable_truth());
    }
  }
  const std::array<domain::Visit, 2> trail = {memory, primary};
  fill_provenance(oldest.value_or(domain::Age{}), false, trail, rooms.instance,
                  *response.mutable_provenance());
}

void hear(const DriftRooms& rooms, const v1::SubmitTestimoniesRequest& request,
          v1::SubmitTestimoniesResponse& response, domain::LocalTime deadline,
          absl::AnyInvocable<void(grpc::Status)> done) {
  std::vector<drift::Testimony> testimonies;
  if (const auto wrong = from_proto(request, rooms.testimonies.roster(), testimonies)) {
    rooms.refused(TestimonyRefusal::kMalformed, request.testimonies_size());
    return done(to_status(*wrong));
  }
  const auto count = request.testimonies_size();
  rooms.testimonies.submit(
      std::move(testimonies), deadline,
      [&rooms, &response, count,
       done = std::move(done)](const absl::StatusOr<drift::TestimonyDesk::Heard>& heard) mutable {
        if (heard.ok()) {
          fill(rooms, *heard, response);
          return done(grpc::Status::OK);
        }
        rooms.refused(absl::IsResourceExhausted(heard.status()) ? TestimonyRefusal::kBusy
                                                                : TestimonyRefusal::kUnjudged,
                      count);
        done(to_status(backend_failure(heard.status())));
      });
}

void submit(const DriftRooms& rooms, SubmitCall& call) {
  hear(rooms, call.request(), call.response(), call.deadline(),
       [&call](grpc::Status status) { call.finish(std::move(status)); });
}

}  // namespace

void DriftHandlers::attach_testimonies(Server& server) {
  DRIFT_RPC(server, SubmitTestimonies, submit);
  server.add_bidi_stream<v1::StreamTestimoniesRequest, v1::StreamTestimoniesResponse>(
      kDriftService, "StreamTestimonies",
      [this](auto... arguments) { service_.RequestStreamTestimonies(arguments...); },
      [this](const v1::StreamTestimoniesRequest& request, v1::StreamTestimoniesResponse& response,
             domain::LocalTime deadline, absl::AnyInvocable<void(grpc::Status)> done) {
        hear(rooms_, request.request(), *response.mutable_response(), deadline, std::move(done));
      });
}

}  // namespace stock::rpc

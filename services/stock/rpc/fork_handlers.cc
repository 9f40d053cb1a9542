// ListForks: what flags make of the availability of keys, for each cohort.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "stock/rpc/answer.h"
#include "stock/rpc/convert.h"
#include "stock/rpc/drift_handlers.h"
#include "stock/rpc/errors.h"

namespace stock::rpc {
namespace {

constexpr int kMaxKeys = 1000;
// An operator waits longer for many evaluations than a read would.
constexpr std::chrono::seconds kPatience{5};

using ForksCall = UnaryCall<v1::ListForksRequest, v1::ListForksResponse>;

// Lives until it has answered the call.
class ForksRead final : public layers::Read {
 public:
  ForksRead(const DriftRooms& rooms, ForksCall& call) : rooms_(rooms), call_(call) {
    context = call.read_context();
    requirement.max_age = rooms.max_staleness;
    requirement.allow_stale = true;
  }

  // First the flags, then the levels, so that these are as young as can be.
  static void start(std::unique_ptr<ForksRead> self) {
    const DriftRooms& rooms = self->rooms_;
    std::vector<layers::FlagQuestion> questions;
    for (const domain::Key& key : self->keys) {
      for (auto& question : for_all_cohorts(*rooms.flags, key)) {
        questions.push_back(std::move(question));
      }
    }
    const domain::LocalTime deadline =
        std::min(self->context.deadline, rooms.clock.now() + kPatience);
    rooms.flags->reader.evaluate(std::move(questions), deadline,
                                 [self = self.release()](std::vector<layers::FlagAnswer> answers) {
                                   self->answers_ = std::move(answers);
                                   self->rooms_.reads.start(*self);
                                 });
  }

  void finished() override {
    const std::unique_ptr<ForksRead> self(this);
    if (!status.ok()) {
      return call_.finish(
          unanswered(call_.context(), status, oldest, trail_span(), rooms_.instance));
    }
    v1::ListForksResponse& response = call_.response();
    response.set_instance(rooms_.instance);
    const domain::LocalTime now = rooms_.clock.now();
    for (std::size_t k = 0; k < keys.size(); ++k) {
      v1::Fork fork;
      fill(k, now, fork);
      if (fork.forked() || call_.request().all()) *response.add_forks() = std::move(fork);
    }
    std::stable_partition(response.mutable_forks()->begin(), response.mutable_forks()->end(),
                          [](const v1::Fork& fork) { return fork.forked(); });
    fill_provenance(oldest.value_or(domain::Age{}), bound_missed, trail_span(), rooms_.instance,
                    *response.mutable_provenance());
    call_.finish(grpc::Status::OK);
  }

 private:
  [[nodiscard]] std::span<const domain::Visit> trail_span() const {
    return {trail.data(), trail.size()};
  }

  void fill(std::size_t k, domain::LocalTime now, v1::Fork& out) const {
    const domain::Reading& reading = readings[k];
    const auto age = rooms_.reads.age(reading, answered_at);
    to_proto(keys[k], reading, age ? domain::age_within(*oldest, *age) : oldest->age,
             *out.mutable_truth());
    const std::vector<std::string>& cohorts = rooms_.flags->cohorts;
    std::vector<domain::Flagged> views;
    for (std::size_t c = 0; c < cohorts.size(); ++c) {
      views.push_back(to_proto(*rooms_.flags, cohorts[c], answers_[k * cohorts.size() + c],
                               reading.counts.available(), now, *out.add_cohorts()));
    }
    out.set_forked(domain::contradict(views));
  }

  const DriftRooms& rooms_;
  ForksCall& call_;
  std::vector<layers::FlagAnswer> answers_;  // by key, then by cohort
};

std::optional<Failure> parse(const v1::ListForksRequest& request, layers::Read& out) {
  if (request.keys_size() > kMaxKeys) {
    return bad_field("keys", fmt::format("must have up to {} keys", kMaxKeys));
  }
  absl::flat_hash_set<domain::Key> seen;
  for (int i = 0; i < request.keys_size(); ++i) {
    const std::string field = fmt::format("keys[{}]", i);
    if (auto wrong = from_proto(request.keys(i), field, out.keys.emplace_back())) return wrong;
    if (!seen.insert(out.keys.back()).second) return bad_field(field, "stands there twice");
  }
  return std::nullopt;
}

void list(const DriftRooms& rooms, ForksCall& call) {
  if (rooms.flags == nullptr) return call.finish(to_status(no_flags()));
  auto read = std::make_unique<ForksRead>(rooms, call);
  if (const auto wrong = parse(call.request(), *read)) return call.finish(to_status(*wrong));
  if (read->keys.empty()) {
    for (domain::Key& key : rooms.flags->forks.keys()) read->keys.push_back(std::move(key));
  }
  if (!read->keys.empty()) return ForksRead::start(std::move(read));
  read->answered_at = rooms.clock.now();
  read.release()->finished();
}

}  // namespace

void DriftHandlers::attach_forks(Server& server) { DRIFT_RPC(server, ListForks, list); }

}  // namespace stock::rpc

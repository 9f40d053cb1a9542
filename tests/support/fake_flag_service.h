// A flag service that answers when the test says so.
#pragma once

#include <deque>
#include <utility>
#include <vector>

#include "stock/layers/flag_service.h"

namespace stock::support {

class FakeFlagService final : public layers::FlagService {
 public:
  struct Asked {
    layers::FlagQuestion question;
    domain::LocalTime deadline;
    Done done;
  };

  void follow(Listener& given) override { listener = &given; }
  void resolve(const layers::FlagQuestion& question, domain::LocalTime deadline,
               Done done) override {
    auto& queue = question.cohort.empty() ? probes : asked;
    queue.push_back({question, deadline, std::move(done)});
  }

  // Answers the oldest question, or probe.
  void answer(absl::StatusOr<domain::FlagsSaid> said) { tell(asked, std::move(said)); }
  void answer_probe(const absl::Status& status = absl::OkStatus()) {
    if (status.ok()) return tell(probes, domain::FlagsSaid());
    tell(probes, status);
  }

  Listener* listener = nullptr;
  std::deque<Asked> asked;
  std::deque<Asked> probes;

 private:
  static void tell(std::deque<Asked>& queue, absl::StatusOr<domain::FlagsSaid> said) {
    Asked first = std::move(queue.front());
    queue.pop_front();
    first.done(std::move(said));
  }
};

}  // namespace stock::support

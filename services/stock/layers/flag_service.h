// Where flags are evaluated: the port that an adapter (flags/) implements.
#pragma once

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "stock/domain/flags.h"
#include "stock/domain/key.h"
#include "stock/domain/time.h"

namespace stock::layers {

// Whom something is evaluated for.
struct FlagQuestion {
  std::string cohort;
  domain::Key key;

  friend bool operator==(const FlagQuestion&, const FlagQuestion&) = default;

  template <typename H>
  friend H AbslHashValue(H h, const FlagQuestion& question) {
    return H::combine(std::move(h), question.cohort, question.key);
  }
};

// Thread-safe.
class FlagService {
 public:
  // What the service's stream of events says. Called on one thread; must not block.
  class Listener {
   public:
    virtual ~Listener() = default;
    // The stream is there: every change from now on is told.
    virtual void opened() = 0;
    // The flags have changed: what was said before may be different now.
    virtual void changed() = 0;
    // The stream is no more, or could not be had. It is begun anew without being asked for.
    virtual void closed(const absl::Status& why) = 0;
  };

  virtual ~FlagService() = default;

  // Follows the stream of events from now on. Once.
  virtual void follow(Listener& listener) = 0;

  // What the service says of all configured flags. `done` is called once, by the deadline or soon
  // after, from any thread. An empty cohort: what it says to nobody in particular. Errors:
  // DEADLINE_EXCEEDED, UNAVAILABLE, or what the service answered.
  using Done = absl::AnyInvocable<void(absl::StatusOr<domain::FlagsSaid>)>;
  virtual void resolve(const FlagQuestion& question, domain::LocalTime deadline, Done done) = 0;
};

}  // namespace stock::layers

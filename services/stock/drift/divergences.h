// The keys on which one layer contradicts the ledger, or may be ahead of it, with what was last
// said of each, and what that has come to: units times seconds.
#pragma once

#include <cstddef>
#include <map>

#include "stock/domain/key.h"
#include "stock/domain/time.h"
#include "stock/drift/observer.h"
#include "stock/drift/verdict.h"

namespace stock::drift {

// Not thread-safe.
class Divergences {
 public:
  // Keeps up to `capacity` keys; further ones are not followed up.
  explicit Divergences(std::size_t capacity) : capacity_(capacity) {}

  // Takes the key in, or lets it go; whether it is now that it turns out to diverge. Who cannot be
  // asked, or judged, keeps the record that he has. `now` never goes back, from call to call.
  bool judged(const domain::Key& key, const Judgement& judgement, domain::LocalTime now);

  [[nodiscard]] const std::map<domain::Key, Judgement>& keys() const { return keys_; }
  [[nodiscard]] LayerSummary summary(domain::LocalTime now);

 private:
  void accrue(domain::LocalTime now);

  const std::size_t capacity_;
  std::map<domain::Key, Judgement> keys_;
  double units_ = 0;         // of all keys, however they are wrong
  double unit_seconds_ = 0;  // through accrued_at_
  domain::LocalTime accrued_at_{};
};

}  // namespace stock::drift

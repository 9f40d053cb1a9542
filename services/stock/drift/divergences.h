// The keys on which one layer contradicts the ledger, with what was last said of each.
#pragma once

#include <cstddef>
#include <map>

#include "stock/domain/key.h"
#include "stock/drift/observer.h"
#include "stock/drift/verdict.h"

namespace stock::drift {

// Not thread-safe.
class Divergences {
 public:
  // Keeps up to `capacity` keys; further ones are not followed up.
  explicit Divergences(std::size_t capacity) : capacity_(capacity) {}

  // Takes the key in or lets it go. Who cannot be asked, or judged, keeps the record that he has.
  void judged(const domain::Key& key, const Judgement& judgement);

  [[nodiscard]] const std::map<domain::Key, Judgement>& keys() const { return keys_; }
  [[nodiscard]] LayerSummary summary() const;

 private:
  const std::size_t capacity_;
  std::map<domain::Key, Judgement> keys_;
};

}  // namespace stock::drift

// A layer from which copies can be removed, whatever they say.
#pragma once

#include <span>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "stock/domain/key.h"

namespace stock::layers {

class Removable {
 public:
  virtual ~Removable() = default;

  // Removes the copies of `keys`, where there are any; then calls `done`, once, from any thread,
  // perhaps before it returns. What is offered afterwards comes after. UNAVAILABLE: it is not known
  // whether they were removed. `keys` need not outlive the call. Never blocks.
  virtual void remove(std::span<const domain::Key> keys,
                      absl::AnyInvocable<void(absl::Status)> done) = 0;
};

}  // namespace stock::layers

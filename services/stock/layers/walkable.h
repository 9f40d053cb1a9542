// A layer that can be gone through. Beside Layer because caches do not know what they lack.
#pragma once

#include <cstdint>

#include "stock/domain/key.h"
#include "stock/layers/catalogue.h"
#include "stock/layers/layer.h"

namespace stock::layers {

struct WalkQuery {
  domain::Key after;  // begin behind this, in order of (sku, location); empty: at the start
  std::int32_t limit = 1000;
};

// Thread-safe, never blocks; `done` is called exactly once, from any thread.
class Walkable {
 public:
  virtual ~Walkable() = default;
  // The next `limit` levels, whichever way they are ordered among themselves: fewer are the last.
  // What is said of each is what read() says of its key. The deadline is a hint, as there.
  virtual void walk(WalkQuery query, const ReadContext& context, PageDone<LevelPage> done) = 0;
};

}  // namespace stock::layers

// Has the processor fetch a line of its cache, while something else is done.
#pragma once

namespace stock::feed {

inline void prefetch(const void* place) {
  __builtin_prefetch(place);
  // To GCC a function that does nothing else has no effect, and it leaves out the calls of it.
  asm volatile("" : : "r"(place));
}

}  // namespace stock::feed

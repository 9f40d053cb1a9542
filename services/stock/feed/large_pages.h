// Memory for tables that are read at random, and are so large that the processor would mostly look
// for where their pages are: in pages of 2 MB, where the system has them. An allocator for
// containers.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <limits>
#include <new>

namespace stock::feed {

template <typename T>
struct LargePages {
  using value_type = T;

  LargePages() = default;
  template <typename U>
  LargePages(const LargePages<U>&) noexcept {}  // NOLINT(google-explicit-constructor): an allocator

  T* allocate(std::size_t count) {
    if (count > std::numeric_limits<std::size_t>::max() / sizeof(T)) throw std::bad_alloc();
    const std::size_t bytes = count * sizeof(T);
    void* const place = ::operator new(bytes, alignment(bytes));
    // Only a hint: where it is not taken, nothing is lost but speed.
    if (bytes >= kPage) madvise(place, bytes / kPage * kPage, MADV_HUGEPAGE);
    return static_cast<T*>(place);
  }
  void deallocate(T* place, std::size_t count) noexcept {
    ::operator delete(place, alignment(count * sizeof(T)));
  }

  friend bool operator==(const LargePages&, const LargePages&) { return true; }

 private:
  static constexpr std::size_t kPage = 2 << 20;
  static std::align_val_t alignment(std::size_t bytes) {
    return std::align_val_t(bytes < kPage ? alignof(T) : kPage);
  }
};

}  // namespace stock::feed

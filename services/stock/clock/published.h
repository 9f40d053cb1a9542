// A small value that one thread at a time replaces and many read without ever waiting for each
// other: a sequence lock. A reader retries while a replacement is under way.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace stock::clock {

template <typename T>
class Published {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % sizeof(std::uint64_t) == 0);

 public:
  Published() : Published(T{}) {}
  explicit Published(const T& value) { write(value); }

  // From any thread.
  [[nodiscard]] T load() const {
    while (true) {
      const std::uint64_t before = sequence_.load(std::memory_order_acquire);
      Words copy;
      // Acquire, so that the sequence is looked at again only afterwards.
      for (std::size_t i = 0; i < kWords; ++i) copy[i] = words_[i].load(std::memory_order_acquire);
      if (before % 2 == 0 && sequence_.load(std::memory_order_relaxed) == before) {
        return std::bit_cast<T>(copy);
      }
    }
  }

  // By one thread at a time.
  void store(const T& value) {
    const std::uint64_t before = sequence_.load(std::memory_order_relaxed);
    // Who sees a word of the new value sees this as well.
    sequence_.store(before + 1, std::memory_order_relaxed);
    write(value);
    sequence_.store(before + 2, std::memory_order_release);
  }

 private:
  static constexpr std::size_t kWords = sizeof(T) / sizeof(std::uint64_t);
  using Words = std::array<std::uint64_t, kWords>;

  // Words that are atomics: a torn value is thrown away instead of undefined.
  void write(const T& value) {
    const auto words = std::bit_cast<Words>(value);
    for (std::size_t i = 0; i < kWords; ++i) words_[i].store(words[i], std::memory_order_release);
  }

  std::atomic<std::uint64_t> sequence_{0};
  std::array<std::atomic<std::uint64_t>, kWords> words_{};
};

}  // namespace stock::clock

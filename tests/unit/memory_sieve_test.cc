#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <list>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "stock/memory/sieve.h"

namespace stock::memory {
namespace {

using domain::Key;

Key key_of(int n) { return {.sku = "SKU-" + std::to_string(n), .location = "berlin"}; }

Copy copy_of(int n) {
  Copy copy;
  copy.version = n + 1;
  return copy;
}

// The algorithm once more, as slow and plain as the paper's pseudocode. The front is the head.
class NaiveSieve {
 public:
  explicit NaiveSieve(std::size_t capacity) : capacity_(capacity) {}

  bool visit(int key) {
    const auto it = find(key);
    if (it == queue_.end()) return false;
    it->visited = true;
    return true;
  }
  bool holds(int key) { return find(key) != queue_.end(); }
  // What was evicted.
  std::optional<int> insert(int key) {
    std::optional<int> evicted;
    if (queue_.size() == capacity_) {
      auto o = hand_ ? find(*hand_) : std::prev(queue_.end());
      while (o->visited) {
        o->visited = false;
        o = o == queue_.begin() ? std::prev(queue_.end()) : std::prev(o);
      }
      hand_ = o == queue_.begin() ? std::nullopt : std::optional(std::prev(o)->key);
      evicted = o->key;
      queue_.erase(o);
    }
    queue_.push_front({key, false});
    return evicted;
  }
  bool erase(int key) {
    const auto it = find(key);
    if (it == queue_.end()) return false;
    if (hand_ == key) {
      hand_ = it == queue_.begin() ? std::nullopt : std::optional(std::prev(it)->key);
    }
    queue_.erase(it);
    return true;
  }
  [[nodiscard]] std::size_t size() const { return queue_.size(); }

 private:
  struct Item {
    int key;
    bool visited;
  };
  std::list<Item>::iterator find(int key) {
    return std::find_if(queue_.begin(), queue_.end(), [&](const Item& i) { return i.key == key; });
  }
  std::size_t capacity_;
  std::list<Item> queue_;
  std::optional<int> hand_;
};

class Lru {
 public:
  explicit Lru(std::size_t capacity) : capacity_(capacity) {}

  bool visit_or_insert(int key) {
    const auto it = where_.find(key);
    if (it != where_.end()) {
      queue_.splice(queue_.begin(), queue_, it->second);
      return true;
    }
    if (queue_.size() == capacity_) {
      where_.erase(queue_.back());
      queue_.pop_back();
    }
    queue_.push_front(key);
    where_[key] = queue_.begin();
    return false;
  }

 private:
  std::size_t capacity_;
  std::list<int> queue_;
  std::unordered_map<int, std::list<int>::iterator> where_;
};

bool visit_or_insert(Sieve& sieve, int n) {
  const Key key = key_of(n);
  const HashedKey hashed(key);
  if (sieve.visit(hashed) != nullptr) return true;
  sieve.insert(hashed, copy_of(n));
  return false;
}

std::vector<int> held(Sieve& sieve, int keys) {
  std::vector<int> numbers;
  for (int n = 0; n < keys; ++n) {
    const Key key = key_of(n);
    if (sieve.peek(HashedKey(key)) != nullptr) numbers.push_back(n);
  }
  return numbers;
}

// Ranks 0, 1, 2... with the popularity of real shops.
class Zipf {
 public:
  Zipf(int ranks, double exponent) {
    double sum = 0;
    for (int rank = 1; rank <= ranks; ++rank) {
      sum += 1 / std::pow(rank, exponent);
      cumulative_.push_back(sum);
    }
  }
  int operator()(std::mt19937& random) {
    const double at = std::generate_canonical<double, 32>(random) * cumulative_.back();
    return static_cast<int>(std::lower_bound(cumulative_.begin(), cumulative_.end(), at) -
                            cumulative_.begin());
  }

 private:
  std::vector<double> cumulative_;
};

TEST(MemorySieve, without_visits_it_evicts_in_order_of_arrival) {
  Sieve sieve(3);
  for (int n = 0; n < 5; ++n) visit_or_insert(sieve, n);
  EXPECT_THAT(held(sieve, 5), testing::ElementsAre(2, 3, 4));
}

TEST(MemorySieve, what_was_visited_is_passed_over_once) {
  Sieve sieve(3);
  for (const int n : {0, 1, 2, 0}) visit_or_insert(sieve, n);
  visit_or_insert(sieve, 3);  // the hand clears 0 and takes 1
  EXPECT_THAT(held(sieve, 4), testing::ElementsAre(0, 2, 3));
  visit_or_insert(sieve, 4);  // and goes on from there: 2, although 0 is older
  EXPECT_THAT(held(sieve, 5), testing::ElementsAre(0, 3, 4));
  visit_or_insert(sieve, 5);
  visit_or_insert(sieve, 6);
  EXPECT_THAT(held(sieve, 7), testing::ElementsAre(0, 5, 6));
}

TEST(MemorySieve, when_all_were_visited_the_hand_goes_round) {
  Sieve sieve(3);
  for (const int n : {0, 1, 2, 0, 1, 2}) visit_or_insert(sieve, n);
  visit_or_insert(sieve, 3);
  EXPECT_THAT(held(sieve, 4), testing::ElementsAre(1, 2, 3));
}

TEST(MemorySieve, peeking_saves_nothing_from_eviction) {
  Sieve sieve(2);
  visit_or_insert(sieve, 0);
  visit_or_insert(sieve, 1);
  const Key oldest = key_of(0);
  ASSERT_NE(sieve.peek(HashedKey(oldest)), nullptr);
  visit_or_insert(sieve, 2);
  EXPECT_THAT(held(sieve, 3), testing::ElementsAre(1, 2));
}

TEST(MemorySieve, a_capacity_of_one_holds_the_newest) {
  Sieve sieve(1);
  for (int n = 0; n < 10; ++n) {
    EXPECT_FALSE(visit_or_insert(sieve, n));
    EXPECT_TRUE(visit_or_insert(sieve, n));
    EXPECT_EQ(sieve.size(), 1U);
  }
}

TEST(MemorySieve, can_be_used_again_after_clearing) {
  Sieve sieve(3);
  for (int n = 0; n < 10; ++n) visit_or_insert(sieve, n);
  sieve.clear();
  EXPECT_EQ(sieve.size(), 0U);
  EXPECT_THAT(held(sieve, 10), testing::IsEmpty());
  for (int n = 0; n < 4; ++n) visit_or_insert(sieve, n);
  EXPECT_THAT(held(sieve, 10), testing::ElementsAre(1, 2, 3));
}

TEST(MemorySieve, does_as_the_naive_model_does) {
  std::mt19937 random(20240416);
  for (const std::size_t capacity : {1, 2, 3, 7, 32, 100}) {
    SCOPED_TRACE(capacity);
    Sieve sieve(capacity);
    NaiveSieve model(capacity);
    const int keys = static_cast<int>(capacity) * 3;
    for (int step = 0; step < 20'000; ++step) {
      const int n = static_cast<int>(random() % keys);
      const Key key = key_of(n);
      const HashedKey hashed(key);
      if (random() % 4 == 0) {
        ASSERT_EQ(sieve.peek(hashed) != nullptr, model.holds(n));
        continue;
      }
      if (random() % 8 == 0) {
        ASSERT_EQ(sieve.erase(hashed), model.erase(n));
        ASSERT_EQ(sieve.size(), model.size());
        continue;
      }
      const Copy* found = sieve.visit(hashed);
      ASSERT_EQ(found != nullptr, model.visit(n));
      if (found != nullptr) {
        ASSERT_EQ(found->version, n + 1);
        continue;
      }
      const std::optional<int> evicted = model.insert(n);
      ASSERT_EQ(sieve.insert(hashed, copy_of(n)), evicted.has_value());
      if (evicted) {
        const Key gone = key_of(*evicted);
        ASSERT_EQ(sieve.peek(HashedKey(gone)), nullptr);
      }
      ASSERT_EQ(sieve.size(), model.size());
    }
  }
}

// Shoppers ask for popular goods, and now and then a job walks over all keys there are.
TEST(MemorySieve, keeps_popular_keys_through_scans_better_than_lru) {
  constexpr int kKeys = 10'000;
  constexpr std::size_t kCapacity = 500;
  std::mt19937 random(7);
  Zipf shopper(kKeys, 0.9);
  Sieve sieve(kCapacity);
  Lru lru(kCapacity);
  int requests = 0;
  int sieve_hits = 0;
  int lru_hits = 0;
  int scanned = 0;
  for (int step = 0; step < 200'000; ++step) {
    const bool scan = step % 20'000 < 5'000 && step % 2 == 0;
    const int n = scan ? scanned++ % kKeys : shopper(random);
    const bool in_sieve = visit_or_insert(sieve, n);
    const bool in_lru = lru.visit_or_insert(n);
    if (scan) continue;
    ++requests;
    sieve_hits += in_sieve ? 1 : 0;
    lru_hits += in_lru ? 1 : 0;
  }
  const double sieve_ratio = 1.0 * sieve_hits / requests;
  const double lru_ratio = 1.0 * lru_hits / requests;
  RecordProperty("sieve_hit_ratio", std::to_string(sieve_ratio));
  RecordProperty("lru_hit_ratio", std::to_string(lru_ratio));
  EXPECT_GT(sieve_ratio, lru_ratio + 0.05);
}

}  // namespace
}  // namespace stock::memory

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "stock/drift/read_sample.h"
#include "support/manual_clock.h"

namespace stock::drift {
namespace {

using domain::Key;

Key key_of(int n) { return {.sku = std::string("SKU-") + char('0' + n), .location = "berlin"}; }

TEST(ReadSampleTest, takes_every_key_of_little_traffic_and_a_share_of_much) {
  support::ManualClock clock;
  ReadSample sample(10, clock);
  const std::vector<Key> one{key_of(1)};
  sample.note(one);
  EXPECT_THAT(sample.take(), ::testing::IsEmpty()) << "nobody has asked for any";
  for (int i = 0; i < 5; ++i) sample.note(one);
  EXPECT_EQ(sample.take().size(), 5u);
  for (int i = 0; i < 100'000; ++i) sample.note(one);
  EXPECT_EQ(sample.take().size(), 20u) << "what there is room for";
  // Spread over all of them, whichever key of a batch it is.
  std::vector<Key> batch;
  for (int n = 0; n < 10; ++n) batch.push_back(key_of(n));
  for (int i = 0; i < 10'000; ++i) sample.note(batch);
  std::set<Key> keys;
  const std::vector<NotedKey> taken = sample.take();
  for (const NotedKey& note : taken) keys.insert(note.key);
  EXPECT_EQ(taken.size(), 10u);
  EXPECT_GE(keys.size(), 5u);
}

}  // namespace
}  // namespace stock::drift

#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <string>

#include "stock/rpc/convert.h"
#include "stock/rpc/level_wire.h"
#include "stock/v1/stock_service.pb.h"

namespace stock::rpc {
namespace {

using domain::DatabaseTime;
using std::chrono::microseconds;
using Response = v1::BatchGetStockLevelsResponse;

// As messages say it.
void fill(const LevelWords& words, v1::StockLevel& out) {
  to_proto(words.key, words.reading, words.age, out);
  v1::LevelProvenance& provenance = *out.mutable_provenance();
  if (words.seen_by) to_proto(*words.seen_by, *provenance.mutable_seen_by());
  provenance.set_in_transition(words.in_transition);
  if (words.flagged != nullptr) *out.mutable_flagged() = *words.flagged;
}

// Numbers of every length, the shortest and the longest among them.
class Numbers {
 public:
  std::int64_t up_to(std::int64_t most) {
    const std::int64_t bits = pick(0, 63);
    const std::int64_t number = pick(0, bits == 63 ? most : std::min(most, (1L << bits) - 1));
    return pick(0, 7) == 0 ? most : number;
  }
  bool chance() { return pick(0, 1) == 1; }
  std::string name() {
    return std::string(static_cast<std::size_t>(pick(1, domain::kMaxNameBytes)), 'n');
  }
  DatabaseTime time() {
    const auto since = microseconds(up_to(253'402'300'799'999'999));
    return DatabaseTime(chance() ? since : -since / 4);
  }
  domain::Counts counts() {
    return {up_to(domain::kMaxCount), up_to(domain::kMaxCount), up_to(domain::kMaxCount),
            up_to(domain::kMaxCount), up_to(domain::kMaxCount)};
  }

 private:
  std::int64_t pick(std::int64_t least, std::int64_t most) {
    return std::uniform_int_distribution<std::int64_t>(least, most)(generator_);
  }
  std::mt19937_64 generator_{20'260'101};
};

TEST(LevelWriter, writes_the_bytes_that_protobuf_writes) {
  constexpr std::string_view kLayers[] = {"memory", "redis", "replica", "primary", "another"};
  Numbers some;
  v1::FlaggedAvailability flagged;
  flagged.set_cohort("beta");
  for (int i = 0; i < 20; ++i) flagged.add_evaluations()->set_flag("of a longer name than others");
  for (int answer = 0; answer < 2000; ++answer) {
    Response expected;
    std::string written;
    LevelWriter writer;
    domain::Reading reading;
    microseconds age(0);
    for (int level = 0; level < 5; ++level) {
      const domain::Key key{some.name(), some.name()};
      reading.exists = some.chance();
      reading.version = some.up_to(std::numeric_limits<std::int64_t>::max());
      reading.counts = some.counts();
      reading.earliest_expiry = some.chance() ? some.time() : DatabaseTime{};
      reading.as_of = some.time();
      reading.layer = kLayers[some.up_to(4)];
      // Of the age of the one before, or of another one, or true through another instant.
      if (some.chance()) age = microseconds(some.up_to(9'000'000'000'000'000));
      if (some.chance()) reading.true_through = some.time();
      LevelWords words{.key = key, .reading = reading, .age = age};
      if (some.chance()) words.seen_by = some.time();
      words.in_transition = some.chance();
      if (some.chance()) words.flagged = &flagged;

      fill(words, *expected.add_levels());
      writer.append(Response::kLevelsFieldNumber, words, written);
    }
    ASSERT_TRUE(written == expected.SerializeAsString()) << expected.DebugString();
  }
}

TEST(LevelWriter, says_nothing_of_what_nobody_knows) {
  Response expected;
  to_proto({"s", "l"}, {}, microseconds(0), *expected.add_levels());
  std::string written;
  LevelWriter().append(Response::kLevelsFieldNumber,
                       {.key = {"s", "l"}, .reading = {}, .age = microseconds(0)}, written);
  EXPECT_EQ(written, expected.SerializeAsString());
}

}  // namespace
}  // namespace stock::rpc

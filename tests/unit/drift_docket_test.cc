#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "stock/drift/docket.h"

namespace stock::drift {
namespace {

using domain::DatabaseTime;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

DatabaseTime at(int second) { return DatabaseTime(seconds(1000 + second)); }
domain::Key key_of(int n) { return {.sku = "SKU-" + std::to_string(n), .location = "berlin"}; }

Sighting lie(const std::string& witness, int key, domain::Version version = 3,
             Verdict verdict = Verdict::kWrongCount, int second = 0) {
  Sighting sighting{.teller = {.witness = witness, .key = key_of(key)},
                    .layer = witness.substr(0, witness.find('@')),
                    .lies = true,
                    .at = at(second)};
  domain::Reading& reading = sighting.finding.claim.answer.reading;
  reading.exists = true;
  reading.version = version;
  reading.counts.on_hand = 42;
  sighting.finding.judgement.verdict = verdict;
  return sighting;
}

Sighting truth(const std::string& witness, int key, int second = 0) {
  Sighting sighting = lie(witness, key, 3, Verdict::kCurrent, second);
  sighting.lies = false;
  return sighting;
}

// What the store does: reads what is open, lets it be decided upon, writes.
class Ledger {
 public:
  // Those that were written.
  std::vector<Incident> decide(const std::vector<Sighting>& sightings) {
    return write([&](Docket& docket) {
      for (const Sighting& sighting : sightings) docket.saw(sighting);
    });
  }
  std::vector<Incident> forget_gone(DatabaseTime before, DatabaseTime now) {
    return write([&](Docket& docket) { docket.forget_gone(before, now); });
  }
  [[nodiscard]] std::vector<Incident> open() const {
    std::vector<Incident> open;
    for (const Incident& incident : all) {
      if (incident.open()) open.push_back(incident);
    }
    return open;
  }

  std::vector<Incident> all;

 private:
  template <typename Work>
  std::vector<Incident> write(Work work) {
    Docket docket(open());
    work(docket);
    std::vector<Incident> written;
    for (Incident* incident : docket.changed()) {
      if (incident->id == 0) {
        incident->id = static_cast<std::int64_t>(all.size()) + 1;
        all.push_back(*incident);
      }
      all[static_cast<std::size_t>(incident->id) - 1] = *incident;
      written.push_back(*incident);
    }
    return written;
  }
};

TEST(Docket, a_lie_opens_one_incident_that_closes_when_the_truth_is_told) {
  Ledger ledger;
  ASSERT_THAT(ledger.decide({lie("redis", 1)}), SizeIs(1));
  const Incident opened = ledger.all.front();
  EXPECT_EQ(opened.key, key_of(1));
  EXPECT_EQ(opened.layer, "redis");
  EXPECT_THAT(opened.witnesses, ElementsAre("redis"));
  EXPECT_EQ(opened.keys, 1);
  EXPECT_EQ(opened.opened_at, at(0));
  EXPECT_TRUE(opened.open());

  EXPECT_THAT(ledger.decide({truth("redis", 2, 1), truth("memory@a", 1, 1)}), IsEmpty());
  EXPECT_THAT(ledger.decide({truth("redis", 1, 2)}), SizeIs(1));
  EXPECT_EQ(ledger.all.front().closed_at, at(2));
  EXPECT_THAT(ledger.all, SizeIs(1));
}

TEST(Docket, what_is_seen_again_is_written_every_five_seconds) {
  Ledger ledger;
  ledger.decide({lie("redis", 1)});
  EXPECT_THAT(ledger.decide({lie("redis", 1, 3, Verdict::kWrongCount, 4)}), IsEmpty());
  EXPECT_THAT(ledger.decide({lie("redis", 1, 3, Verdict::kWrongCount, 5)}), SizeIs(1));
  EXPECT_EQ(ledger.all.front().last_seen_at, at(5));
  EXPECT_THAT(ledger.all, SizeIs(1));
}

TEST(Docket, who_tells_the_same_wrong_version_is_in_the_same_incident_until_the_last_one_stops) {
  Ledger ledger;
  ledger.decide({lie("redis", 1)});
  ledger.decide({lie("memory@a", 1), lie("memory@b", 1)});
  ASSERT_THAT(ledger.all, SizeIs(1));
  EXPECT_THAT(ledger.all.front().witnesses, ElementsAre("redis", "memory@a", "memory@b"));
  EXPECT_EQ(ledger.all.front().keys, 1);

  ledger.decide({truth("redis", 1), truth("memory@a", 1)});
  EXPECT_TRUE(ledger.all.front().open());
  ledger.decide({truth("memory@b", 1, 9)});
  EXPECT_EQ(ledger.all.front().closed_at, at(9));
}

TEST(Docket, another_lie_of_the_same_witness_is_another_incident) {
  Ledger ledger;
  ledger.decide({lie("redis", 1)});
  ledger.decide({lie("redis", 1, 9, Verdict::kAhead, 3)});
  ASSERT_THAT(ledger.all, SizeIs(2));
  EXPECT_EQ(ledger.all[0].closed_at, at(3));
  EXPECT_TRUE(ledger.all[1].open());
}

TEST(Docket, beyond_a_few_keys_a_layers_lies_are_one_incident_with_a_count) {
  Ledger ledger;
  for (int key = 0; key < 3; ++key) ledger.decide({lie("redis", key, 3, Verdict::kWrongCount)});
  EXPECT_THAT(ledger.open(), SizeIs(3));
  ledger.decide({lie("memory@a", 500)});  // of another layer
  ledger.decide({lie("redis", 3, 8, Verdict::kWrongCount, 4)});
  ASSERT_THAT(ledger.open(), SizeIs(2));
  const Incident group = ledger.open().front();
  EXPECT_EQ(group.id, 1);
  EXPECT_TRUE(group.grouped);
  EXPECT_EQ(group.keys, 4);
  EXPECT_EQ(group.keys_open(), 4);
  EXPECT_EQ(ledger.all[1].merged_into, 1);
  EXPECT_EQ(ledger.all[2].merged_into, 1);
  EXPECT_EQ(ledger.all[2].closed_at, at(4));

  std::vector<Sighting> more;
  for (int key = 0; key < 200; ++key) more.push_back(lie("redis", key));
  ledger.decide(more);
  EXPECT_THAT(ledger.open(), SizeIs(2));
  EXPECT_EQ(ledger.all.front().keys, 200);

  for (Sighting& sighting : more) sighting.lies = false;
  const Sighting last = more.back();
  more.pop_back();
  ledger.decide(more);
  EXPECT_EQ(ledger.all.front().keys_open(), 1);
  EXPECT_TRUE(ledger.all.front().open());
  ledger.decide({last});
  EXPECT_FALSE(ledger.all.front().open());
  EXPECT_EQ(ledger.all.front().keys, 200);
}

TEST(Docket, many_that_are_seen_at_once_are_one_from_the_start) {
  Ledger ledger;
  std::vector<Sighting> flood;
  for (int key = 0; key < 1500; ++key) flood.push_back(lie("redis", key));
  EXPECT_THAT(ledger.decide(flood), SizeIs(1));
  EXPECT_EQ(ledger.all.front().keys, 1000);  // as many as are remembered
}

TEST(Docket, what_a_process_that_is_gone_held_is_gone_and_what_all_share_is_not) {
  Ledger ledger;
  ledger.decide({lie("memory@a", 1), lie("redis", 2)});
  EXPECT_THAT(ledger.forget_gone(at(0), at(60)), IsEmpty());
  EXPECT_THAT(ledger.forget_gone(at(1), at(61)), SizeIs(1));
  EXPECT_EQ(ledger.all[0].closed_at, at(61));
  EXPECT_TRUE(ledger.all[1].open());
}

TEST(Docket, being_behind_is_an_incident_only_where_readers_would_be_served_it) {
  const auto stale = [](std::chrono::microseconds age) {
    return Judgement{.verdict = Verdict::kStale, .age = age};
  };
  for (const char* layer : {"memory", "replica"}) {
    EXPECT_FALSE(opens_incident(layer, stale(seconds(5)), seconds(5))) << layer;
    EXPECT_TRUE(opens_incident(layer, stale(seconds(6)), seconds(5))) << layer;
  }
  EXPECT_FALSE(opens_incident("redis", stale(minutes(10)), seconds(5)));
  for (const Verdict verdict :
       {Verdict::kMisdated, Verdict::kNeverTrue, Verdict::kWrongCount, Verdict::kAhead}) {
    EXPECT_TRUE(opens_incident("redis", {.verdict = verdict}, seconds(5)));
  }
  for (const Verdict verdict : {Verdict::kCurrent, Verdict::kAbsent, Verdict::kUnreachable,
                                Verdict::kInconclusive, Verdict::kUnverifiable}) {
    EXPECT_FALSE(opens_incident("memory", {.verdict = verdict, .age = minutes(1)}, seconds(5)));
  }
  EXPECT_FALSE(shows_recovery(Verdict::kUnreachable));
  EXPECT_FALSE(shows_recovery(Verdict::kInconclusive));
}

}  // namespace
}  // namespace stock::drift

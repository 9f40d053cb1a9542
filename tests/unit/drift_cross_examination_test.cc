#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "stock/drift/cross_examination.h"
#include "support/fake_history.h"
#include "support/manual_clock.h"

namespace stock::drift {
namespace {

using domain::DatabaseTime;
using domain::Key;
using domain::Outcome;
using layers::Answer;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Each;
using ::testing::SizeIs;

// Says of each key what it is told to, at once.
class Witness final : public layers::Layer {
 public:
  explicit Witness(std::function<Answer(const Key&)> answer) : answer_(std::move(answer)) {}
  [[nodiscard]] std::string_view name() const override { return "witness"; }
  void read(std::span<const Key> keys, std::span<Answer> answers, const layers::ReadContext&,
            layers::Done done) override {
    for (std::size_t i = 0; i < keys.size(); ++i) answers[i] = answer_(keys[i]);
    done("");
  }

 private:
  std::function<Answer(const Key&)> answer_;
};

// A database whose keys move all the time: at each look at it time passes, commits are stamped, and
// become visible some time later, as real ones do.
class World {
 public:
  explicit World(unsigned seed) : random_(seed) {
    for (int i = 0; i < 4; ++i) keys.push_back({"SKU-" + std::to_string(i), "berlin"});
    measure();
    for (int i = 0; i < 200; ++i) pass_time();
    history.before_answering([this] { pass_time(); });
  }

  std::int64_t upto(std::int64_t most) {
    return std::uniform_int_distribution<std::int64_t>(0, most)(random_);
  }

  void pass_time() {
    for (std::int64_t steps = upto(6); steps > 0; --steps) step();
  }

  // What is visible, a moment after it was asked for and a moment before that is told, dated as a
  // primary dates it.
  Answer visible(const Key& key) {
    const DatabaseTime stamp = database_now();
    pass_time();
    Answer answer{Outcome::kHit, seen_[key]};
    answer.reading.true_through = std::max(stamp, answer.reading.as_of);
    answer.reading.heartbeat = heartbeat_;
    pass_time();
    return answer;
  }

  // What was visible `lag` ago.
  Answer visible_before(const Key& key, microseconds lag) {
    pass_time();
    domain::Reading then;
    const auto& past = past_[key];
    for (auto it = past.rbegin(); it != past.rend(); ++it) {
      if (it->first > database_now() - lag) continue;
      then = it->second;
      break;
    }
    then.true_through = then.as_of;
    return {Outcome::kHit, then};
  }

  [[nodiscard]] DatabaseTime database_now() const {
    return DatabaseTime(
        std::chrono::duration_cast<microseconds>(clock.now().time_since_epoch() + seconds(5000)));
  }
  [[nodiscard]] domain::HeartbeatNumber heartbeat() const { return heartbeat_; }

  std::vector<Key> keys;
  support::ManualClock clock;
  clock::DatabaseClock database_clock{clock};
  support::FakeHistory history;

 private:
  struct Commit {
    VersionFact fact;
    DatabaseTime visible_at;
  };

  void measure() {
    const domain::LocalTime sent = clock.now();
    clock.advance(microseconds(upto(1000)));
    const DatabaseTime stamp = database_now();
    clock.advance(microseconds(upto(1000)));
    database_clock.measured(sent, stamp, clock.now());
  }

  void step() {
    clock.advance(microseconds(upto(400)));
    if (upto(50) == 0) measure();
    if (upto(20) == 0) history.beat(++heartbeat_, database_now());
    for (const Key& key : keys) {
      std::optional<Commit>& commit = under_way_[key];
      if (commit && commit->visible_at <= database_now()) {
        show(key, commit->fact);
        commit.reset();
      } else if (!commit && upto(10) == 0) {
        commit = {.fact = {.exists = upto(9) > 0,
                           .counts = {.on_hand = upto(5)},
                           .committed_at = database_now()},
                  .visible_at = database_now() + microseconds(upto(upto(1) == 0 ? 100 : 20'000))};
        if (!commit->fact.exists) commit->fact.counts = {};
      }
    }
  }

  void show(const Key& key, const VersionFact& fact) {
    history.commit(key, fact);
    domain::Reading& reading = seen_[key];
    reading.version += 1;
    reading.exists = fact.exists;
    reading.counts = fact.counts;
    reading.as_of = fact.committed_at;
    past_[key].emplace_back(database_now(), reading);
  }

  std::mt19937_64 random_;
  domain::HeartbeatNumber heartbeat_ = 0;
  std::map<Key, std::optional<Commit>> under_way_;
  std::map<Key, domain::Reading> seen_;
  std::map<Key, std::vector<std::pair<DatabaseTime, domain::Reading>>> past_;
};

TEST(CrossExamination, honest_witnesses_are_not_accused_and_liars_are_found_while_keys_move) {
  std::map<std::string, std::map<Verdict, int>> verdicts;
  int examined = 0;
  for (unsigned seed = 0; seed < 20; ++seed) {
    World world(seed);
    std::map<std::string, Witness> roster;
    const auto add = [&](const std::string& name, std::function<Answer(const Key&)> answer) {
      roster.try_emplace(name, std::move(answer));
    };
    add("honest", [&](const Key& key) { return world.visible(key); });
    add("forgetful",
        [&](const Key& key) { return world.upto(1) == 0 ? Answer{} : world.visible(key); });
    add("late", [&](const Key& key) { return world.visible_before(key, milliseconds(100)); });
    add("rejuvenating", [&](const Key& key) {
      Answer answer = world.visible_before(key, milliseconds(100));
      answer.reading.true_through = world.database_now();
      return answer;
    });
    add("forging", [&](const Key& key) {
      Answer answer = world.visible_before(key, milliseconds(100));
      answer.reading.heartbeat = world.heartbeat();
      return answer;
    });
    add("clairvoyant", [&](const Key& key) {
      Answer answer = world.visible(key);
      answer.reading.true_through += seconds(10);
      return answer;
    });
    add("inventive", [&](const Key& key) {
      Answer answer = world.visible(key);
      answer.reading.exists = true;
      answer.reading.counts.on_hand += 100;
      return answer;
    });
    add("prophetic", [&](const Key& key) {
      Answer answer = world.visible(key);
      answer.reading.version += 1000;
      return answer;
    });
    std::vector<layers::Layer*> witnesses;
    for (auto& [name, witness] : roster) witnesses.push_back(&witness);
    CrossExamination examination(witnesses, world.history, world.database_clock, world.clock,
                                 seconds(10));
    for (int i = 0; i < 50; ++i) {
      const auto findings = examination.examine(world.keys, {});
      ASSERT_TRUE(findings.ok());
      std::size_t w = 0;
      for (const auto& [name, witness] : roster) {
        for (const Finding& finding : (*findings)[w]) ++verdicts[name][finding.judgement.verdict];
        ++w;
      }
      examined += static_cast<int>(world.keys.size());
    }
  }
  for (const char* name : {"honest", "forgetful"}) {
    for (const auto& [verdict, n] : verdicts[name]) {
      EXPECT_FALSE(diverges(verdict)) << name << ": " << verdict_name(verdict) << ", " << n;
    }
    EXPECT_GT(verdicts[name][Verdict::kCurrent], examined / 20);
  }
  EXPECT_GT(verdicts["late"][Verdict::kStale], examined * 9 / 10);
  EXPECT_EQ(verdicts["late"][Verdict::kMisdated], 0) << "its date is honest";
  for (const char* name : {"rejuvenating", "forging"}) {
    EXPECT_GT(verdicts[name][Verdict::kMisdated], examined * 8 / 10) << name;
  }
  EXPECT_EQ(verdicts["clairvoyant"][Verdict::kMisdated], examined);
  EXPECT_EQ(verdicts["inventive"][Verdict::kWrongCount], examined);
  EXPECT_EQ(verdicts["prophetic"][Verdict::kAhead], examined);
}

// Who names the keys of a round says what it has of them before the others are asked.
TEST(CrossExamination, who_names_the_keys_is_judged_as_of_when_it_named_them) {
  std::map<std::string, std::map<Verdict, int>> verdicts;
  int examined = 0;
  for (unsigned seed = 0; seed < 20; ++seed) {
    World world(seed);
    const auto honest = [&](const Key& key) { return world.visible(key); };
    const std::map<std::string, std::function<Answer(const Key&)>> guides = {
        {"honest", honest},
        {"late", [&](const Key& key) { return world.visible_before(key, milliseconds(100)); }},
        {"inventive", [&](const Key& key) {
           Answer answer = world.visible(key);
           answer.reading.exists = true;
           answer.reading.counts.on_hand += 100;
           return answer;
         }}};
    for (const auto& [name, says] : guides) {
      Witness other(honest);
      Witness guide(says);
      CrossExamination examination({&other, &guide}, world.history, world.database_clock,
                                   world.clock, seconds(10));
      const std::vector<std::size_t> both{0, 1};
      for (int i = 0; i < 50; ++i) {
        Inquiry::Statement named{.answered = true, .sent = world.clock.now()};
        for (const Key& key : world.keys) named.answers.push_back(says(key));
        named.received = world.clock.now();
        world.pass_time();
        const auto asked = examination.ask(world.keys, both, Inquiry::Made{1, std::move(named)});
        const auto findings = examination.judge(*asked, both, {});
        ASSERT_TRUE(findings.ok());
        for (const Finding& finding : (*findings)[0]) {
          EXPECT_FALSE(diverges(finding.judgement.verdict));
        }
        for (const Finding& finding : (*findings)[1]) ++verdicts[name][finding.judgement.verdict];
      }
    }
    examined += 50 * static_cast<int>(world.keys.size());
  }
  for (const auto& [verdict, n] : verdicts["honest"]) {
    EXPECT_FALSE(diverges(verdict)) << verdict_name(verdict) << ", " << n;
  }
  EXPECT_GT(verdicts["honest"][Verdict::kCurrent], examined / 20);
  EXPECT_GT(verdicts["late"][Verdict::kStale], examined * 8 / 10);
  EXPECT_EQ(verdicts["inventive"][Verdict::kWrongCount], examined);
}

class Room : public ::testing::Test {
 protected:
  Room() {
    clock.advance(seconds(1));
    for (const std::int64_t on_hand : {10, 8}) {
      history.commit(kTea, {.exists = true,
                            .counts = {.on_hand = on_hand},
                            .committed_at = DatabaseTime(seconds(on_hand == 10 ? 1 : 2))});
    }
  }
  void measure() { database_clock.measured(clock.now(), DatabaseTime(seconds(100)), clock.now()); }
  static Answer says(std::int64_t on_hand, domain::Version version) {
    Answer answer;
    answer.outcome = Outcome::kHit;
    answer.reading.exists = true;
    answer.reading.version = version;
    answer.reading.counts.on_hand = on_hand;
    answer.reading.as_of = DatabaseTime(seconds(version));
    return answer;
  }

  const Key kTea{"TEA", "berlin"};
  const std::vector<Key> keys{kTea};
  support::ManualClock clock;
  clock::DatabaseClock database_clock{clock};
  support::FakeHistory history;
};

TEST_F(Room, who_corrects_himself_is_not_accused) {
  measure();
  int asked = 0;
  Witness witness([&](const Key&) { return ++asked == 1 ? says(10, 1) : says(8, 2); });
  CrossExamination examination({&witness}, history, database_clock, clock, seconds(10));
  EXPECT_EQ((*examination.examine(keys, {}))[0][0].judgement.verdict, Verdict::kCurrent);
  EXPECT_EQ(asked, 2);
}

// The interleaving: a stale copy is found, the primary crashes, a copy of the new ledger is asked
// for that was just superseded. Its version says nothing about the versions of the old one.
TEST_F(Room, nobody_is_accused_across_two_ledgers) {
  measure();
  history.become(7);
  int asked = 0;
  Witness witness([&](const Key&) {
    ++asked;
    Answer answer = says(10, 1);
    answer.reading.incarnation = history.of(kTea, {}).incarnation;
    return answer;
  });
  CrossExamination examination({&witness}, history, database_clock, clock, seconds(10));
  EXPECT_EQ((*examination.examine(keys, {}))[0][0].judgement.verdict, Verdict::kStale);
  EXPECT_EQ(asked, 2);

  asked = 0;
  Witness moving([&](const Key&) {
    if (++asked == 2) history.become(8);
    Answer answer = says(10, 1);
    answer.reading.incarnation = history.of(kTea, {}).incarnation;
    return answer;
  });
  CrossExamination across({&moving}, history, database_clock, clock, seconds(10));
  EXPECT_EQ((*across.examine(keys, {}))[0][0].judgement.verdict, Verdict::kInconclusive);
  EXPECT_EQ(asked, 2);
}

// One query says what is newest, for all; only of whom that leaves in doubt the rest is asked.
TEST_F(Room, the_versions_of_a_key_are_asked_for_only_where_the_newest_is_not_enough) {
  measure();
  Witness witness([&](const Key&) { return says(8, 2); });
  int queries = 0;
  history.before_answering([&] { ++queries; });
  CrossExamination examination({&witness}, history, database_clock, clock, seconds(10));
  EXPECT_EQ((*examination.examine(keys, {}))[0][0].judgement.verdict, Verdict::kCurrent);
  EXPECT_EQ(queries, 1);
  Witness behind([&](const Key&) { return says(10, 1); });
  CrossExamination doubting({&witness, &behind}, history, database_clock, clock, seconds(10));
  const auto findings = *doubting.examine(keys, {});
  EXPECT_EQ(findings[0][0].judgement.verdict, Verdict::kCurrent);
  EXPECT_EQ(findings[1][0].judgement.verdict, Verdict::kStale);
  EXPECT_EQ(queries, 1 + 2 + 2) << "twice, because somebody is accused";
  Witness late([&](const Key&) {
    Answer answer = says(8, 2);
    answer.reading.as_of += seconds(50);  // and the ledger does not say by when it was seen
    return answer;
  });
  CrossExamination dating({&late}, history, database_clock, clock, seconds(10));
  EXPECT_EQ((*dating.examine(keys, {}))[0][0].judgement.verdict, Verdict::kCurrent);
  EXPECT_EQ(queries, 5 + 2);
}

TEST_F(Room, who_is_beyond_doubt_is_asked_once) {
  measure();
  int honest_asked = 0;
  int liar_asked = 0;
  Witness honest([&](const Key&) { return ++honest_asked, says(8, 2); });
  Witness liar([&](const Key&) { return ++liar_asked, says(10, 1); });
  CrossExamination examination({&honest, &liar}, history, database_clock, clock, seconds(10));
  const auto findings = examination.examine(keys, {});
  EXPECT_EQ((*findings)[0][0].judgement.verdict, Verdict::kCurrent);
  const Finding& lie = (*findings)[1][0];
  EXPECT_EQ(lie.judgement.verdict, Verdict::kStale);
  EXPECT_EQ(lie.judgement.units, 2);
  EXPECT_EQ(lie.claim.answer.reading.version, 1);
  EXPECT_EQ(lie.newest, 2);
  EXPECT_EQ(lie.truth.counts.on_hand, 8);
  EXPECT_EQ(honest_asked, 1);
  EXPECT_EQ(liar_asked, 2);
}

TEST_F(Room, without_the_databases_time_nothing_can_be_said) {
  Witness witness([&](const Key&) { return says(8, 2); });
  CrossExamination examination({&witness}, history, database_clock, clock, seconds(10));
  EXPECT_TRUE(absl::IsUnavailable(examination.examine(keys, {}).status()));
}

TEST_F(Room, without_the_ledger_nothing_can_be_said) {
  measure();
  history.fail(absl::UnavailableError("gone"));
  Witness witness([&](const Key&) { return says(8, 2); });
  CrossExamination examination({&witness}, history, database_clock, clock, seconds(10));
  EXPECT_EQ(examination.examine(keys, {}).status(), absl::UnavailableError("gone"));
}

// The interleaving: version 2 is in the log and a standby shows it, the primary does not yet; when
// the standby is asked again the same has happened with version 3.
class EarlyStandby : public ::testing::Test {
 protected:
  EarlyStandby() {
    database_clock_.measured(clock_.now(), DatabaseTime(seconds(5000)), clock_.now());
    commit(1);
  }
  void commit(std::int64_t on_hand) {
    history_.commit(key_, {.exists = true, .counts = {.on_hand = on_hand}});
  }
  Verdict examine(std::function<domain::Version()> version) {
    Witness standby([&](const Key&) {
      const domain::Version said = version();
      return Answer{Outcome::kHit, {.exists = true, .version = said, .counts = {.on_hand = said}}};
    });
    CrossExamination examination({&standby}, history_, database_clock_, clock_, seconds(1));
    const std::vector<Key> keys{key_};
    const auto findings = examination.examine(keys, {});
    return findings.value()[0][0].judgement.verdict;
  }

  const Key key_{"A", "berlin"};
  support::ManualClock clock_;
  clock::DatabaseClock database_clock_{clock_};
  support::FakeHistory history_;
};

TEST_F(EarlyStandby, is_not_accused_of_being_ahead) {
  domain::Version shown = 1;
  EXPECT_EQ(examine([&] {
              if (shown == 2) commit(2);  // meanwhile the primary shows it, too
              return ++shown;
            }),
            Verdict::kInconclusive);
}

// The primary's process is kept from its next step for longer than both questions take.
TEST_F(EarlyStandby, is_not_accused_while_the_transaction_may_still_become_visible) {
  history_.set_transactions({70}, {70});
  EXPECT_EQ(examine([] { return 2; }), Verdict::kInconclusive);
  int asked = 0;
  EXPECT_EQ(examine([&] {
              if (++asked == 2) history_.set_transactions({75}, {75});
              return 2;
            }),
            Verdict::kAhead)
      << "all that was being written at the first question is there, and none of it is the version";
}

// It cannot have written what somebody has seen already.
TEST_F(EarlyStandby, is_accused_while_some_transaction_stays_open_that_does_not_write) {
  history_.set_transactions({70}, {});
  EXPECT_EQ(examine([] { return 9; }), Verdict::kAhead);
}

// The same with a heartbeat, that its read has seen and the primary does not show yet.
TEST_F(EarlyStandby, is_not_accused_of_a_heartbeat_that_may_still_become_visible) {
  history_.beat(5, DatabaseTime(seconds(10)));
  history_.set_transactions({70}, {70});
  int asked = 0;
  const auto examine_with = [&](std::function<domain::HeartbeatNumber()> heartbeat) {
    Witness standby([&](const Key&) {
      return Answer{
          Outcome::kHit,
          {.exists = true, .version = 1, .counts = {.on_hand = 1}, .heartbeat = heartbeat()}};
    });
    CrossExamination examination({&standby}, history_, database_clock_, clock_, seconds(1));
    const std::vector<Key> keys{key_};
    return examination.examine(keys, {}).value()[0][0].judgement.verdict;
  };
  EXPECT_EQ(examine_with([] { return 5; }), Verdict::kCurrent);
  EXPECT_EQ(examine_with([] { return 6; }), Verdict::kInconclusive);
  EXPECT_EQ(examine_with([&] {
              if (++asked == 2) history_.beat(6, DatabaseTime(seconds(11)));
              return 5 + asked;
            }),
            Verdict::kInconclusive)
      << "each heartbeat a moment too early";
  history_.set_transactions({70}, {});
  EXPECT_EQ(examine_with([] { return 9; }), Verdict::kMisdated) << "nothing can bring it any more";
}

TEST_F(EarlyStandby, is_accused_when_the_version_never_comes) {
  EXPECT_EQ(examine([] { return 9; }), Verdict::kAhead);
}

}  // namespace
}  // namespace stock::drift

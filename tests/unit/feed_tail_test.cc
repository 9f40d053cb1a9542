#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <mutex>
#include <string>

#include "stock/feed/tail.h"
#include "support/eventually.h"
#include "support/manual_clock.h"

namespace stock::feed {
namespace {

using domain::Key;
using domain::Reading;
using domain::Snapshot;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using support::eventually;
using ::testing::ElementsAre;

const Key kA{"A", "main"};

domain::DatabaseTime at(std::int64_t us) { return domain::DatabaseTime(microseconds(us)); }

// Answers what the test has put in line; then that nothing has moved.
class FakeSource final : public Source {
 public:
  struct Answer {
    absl::Status status;
    Poll poll;
    std::vector<Move> moves;
  };

  absl::StatusOr<Beginning> begin() override {
    const std::lock_guard lock(mutex_);
    ++begins_;
    if (!beginning_.ok()) return beginning_.status();
    return beginning_;
  }
  absl::StatusOr<Poll> poll(domain::Incarnation incarnation, const Snapshot& since,
                            Deliver deliver) override {
    Answer answer;
    {
      const std::lock_guard lock(mutex_);
      asked_.push_back(since.text());
      if (answers_.empty()) {
        answer.poll = last_;
      } else {
        answer = std::move(answers_.front());
        answers_.pop_front();
      }
      if (answer.status.ok()) last_ = answer.poll;
    }
    if (!answer.moves.empty() && answer.poll.incarnation == incarnation) {
      deliver(answer.poll, answer.moves);
    }
    if (!answer.status.ok()) return answer.status;
    return answer.poll;
  }

  void begins_with(absl::StatusOr<Beginning> beginning) {
    const std::lock_guard lock(mutex_);
    beginning_ = std::move(beginning);
  }
  void says(Answer answer) {
    const std::lock_guard lock(mutex_);
    answers_.push_back(std::move(answer));
  }
  bool all_said() {
    const std::lock_guard lock(mutex_);
    return answers_.empty();
  }
  std::vector<std::string> asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  std::mutex mutex_;
  int begins_ = 0;
  absl::StatusOr<Beginning> beginning_ = absl::UnavailableError("nothing yet");
  std::deque<Answer> answers_;
  Poll last_;
  std::vector<std::string> asked_;
};

class Told final : public Listener, public TailObserver {
 public:
  explicit Told(const View& view) : view_(view) {}
  void began() override { add("began"); }
  void moved(std::span<const Move> moves) override {
    for (const Move& move : moves) {
      add(move.key.sku + std::to_string(move.version) + " before " +
          std::to_string(view_.watermark().stamp.time_since_epoch().count()));
    }
  }
  void advanced(const Watermark& watermark, const std::shared_ptr<const Snapshot>&) override {
    const std::lock_guard lock(mutex_);
    through_ = watermark.stamp;
  }
  void polled(Outcome outcome, const absl::Status&) override {
    const std::lock_guard lock(mutex_);
    ++polls_[static_cast<std::size_t>(outcome)];
  }
  void applied(std::chrono::nanoseconds) override {}

  std::vector<std::string> events() {
    const std::lock_guard lock(mutex_);
    return events_;
  }
  domain::DatabaseTime through() {
    const std::lock_guard lock(mutex_);
    return through_;
  }
  int polls(Outcome outcome) {
    const std::lock_guard lock(mutex_);
    return polls_[static_cast<std::size_t>(outcome)];
  }

 private:
  void add(std::string event) {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
  }
  const View& view_;
  std::mutex mutex_;
  std::vector<std::string> events_;
  domain::DatabaseTime through_;
  std::array<int, kOutcomes> polls_{};
};

Poll poll_of(std::int64_t stamp, const char* snapshot, domain::Incarnation incarnation = 7,
             domain::HeartbeatNumber heartbeat = 20) {
  return {.incarnation = incarnation,
          .stamp = at(stamp),
          .sent = domain::LocalTime(microseconds(stamp)),
          .heartbeat = heartbeat,
          .snapshot = std::make_shared<const Snapshot>(*Snapshot::parse(snapshot))};
}

Move move_of(domain::Version version, domain::Xid xid) {
  return {.key = kA, .version = version, .exists = true, .as_of = at(1), .xid = xid};
}

class TailTest : public ::testing::Test {
 protected:
  void start(std::chrono::nanoseconds idle_interval = milliseconds(1)) {
    tail_.emplace(Tail::Options{.interval = milliseconds(1), .idle_interval = idle_interval},
                  source_, view_, std::vector<Listener*>{&told_}, attention_, clock_,
                  database_clock_, told_);
  }
  void begins_at_heartbeat_10() {
    source_.begins_with(Beginning{7, 10, *Snapshot::parse("50:50:")});
  }
  Standing standing(domain::Version version, domain::HeartbeatNumber n,
                    domain::Incarnation incarnation = 7) {
    Reading reading{.exists = true, .version = version, .incarnation = incarnation, .heartbeat = n};
    return view_.judge(view_.now(), fingerprint(kA), reading);
  }

  FakeSource source_;
  View view_{64};
  Attention attention_;
  support::ManualClock clock_;
  clock::DatabaseClock database_clock_{clock_};
  Told told_{view_};
  std::optional<Tail> tail_;  // last: its thread uses all of the above
};

TEST_F(TailTest, what_moved_before_it_began_is_known_before_anything_is_current) {
  begins_at_heartbeat_10();
  source_.says({.poll = poll_of(1000, "60:60:"), .moves = {move_of(3, 55)}});
  start();
  ASSERT_TRUE(eventually([&] { return told_.through() == at(1000); }));
  EXPECT_EQ(source_.asked().front(), "50:50:");
  EXPECT_EQ(told_.events(), (std::vector<std::string>{"began", "A3 before 0"}));
  EXPECT_EQ(standing(2, 15), Standing::kSuperseded);
  EXPECT_EQ(standing(3, 15), Standing::kCurrent);
  EXPECT_EQ(standing(3, 9), Standing::kOwnDate);
}

TEST_F(TailTest, each_poll_goes_on_where_the_last_one_ended) {
  begins_at_heartbeat_10();
  source_.says({.poll = poll_of(1000, "60:60:")});
  source_.says({.poll = poll_of(2000, "60:70:65"), .moves = {move_of(4, 66)}});
  source_.says({.poll = poll_of(3000, "80:80:")});
  start();
  ASSERT_TRUE(eventually([&] { return told_.through() == at(3000); }));
  const auto asked = source_.asked();
  EXPECT_EQ(asked[1], "60:60:");
  EXPECT_EQ(asked[2], "60:70:65");
  // Told before the watermark that covers it.
  EXPECT_EQ(told_.events().back(), "A4 before 1000");
}

TEST_F(TailTest, a_failure_leaves_the_watermark_and_the_position) {
  begins_at_heartbeat_10();
  source_.says({.poll = poll_of(1000, "60:60:")});
  source_.says({.status = absl::UnavailableError("lost halfway"),
                .poll = poll_of(2000, "70:70:"),
                .moves = {move_of(4, 66)}});
  source_.says({.poll = poll_of(3000, "80:80:"), .moves = {move_of(4, 66)}});
  start();
  ASSERT_TRUE(eventually([&] { return told_.through() == at(3000); }));
  EXPECT_EQ(told_.polls(TailObserver::Outcome::kFailed), 1);
  EXPECT_EQ(source_.asked()[2], "60:60:");
  EXPECT_THAT(told_.events(), ElementsAre("began", "A4 before 1000", "A4 before 1000"));
  EXPECT_EQ(standing(3, 15), Standing::kSuperseded);
}

TEST_F(TailTest, another_incarnation_voids_everything_and_begins_anew) {
  begins_at_heartbeat_10();
  source_.says({.poll = poll_of(1000, "60:60:"), .moves = {move_of(3, 55)}});
  start();
  ASSERT_TRUE(eventually([&] { return told_.through() == at(1000); }));
  source_.begins_with(Beginning{8, 30, *Snapshot::parse("40:40:")});
  source_.says({.poll = poll_of(2000, "45:45:", 8, 31), .moves = {move_of(9, 41)}});
  source_.says({.poll = poll_of(3000, "46:46:", 8, 32), .moves = {move_of(2, 42)}});
  ASSERT_TRUE(eventually([&] { return told_.through() == at(3000); }));
  // What came with the news was of a history that nobody had asked for.
  EXPECT_THAT(told_.events(), ElementsAre("began", "A3 before 0", "began", "A2 before 0"));
  EXPECT_EQ(standing(3, 31), Standing::kOwnDate);
  EXPECT_EQ(standing(1, 31, 8), Standing::kSuperseded);
  EXPECT_EQ(standing(2, 31, 8), Standing::kCurrent);
}

TEST_F(TailTest, what_is_too_much_to_be_read_is_begun_anew_from_a_younger_heartbeat) {
  begins_at_heartbeat_10();
  source_.says({.poll = poll_of(1000, "60:60:")});
  start();
  ASSERT_TRUE(eventually([&] { return told_.through() == at(1000); }));
  EXPECT_EQ(standing(3, 15), Standing::kCurrent);
  source_.begins_with(Beginning{7, 30, *Snapshot::parse("80:80:")});
  source_.says({.status = absl::OutOfRangeError("too much")});
  source_.says({.poll = poll_of(2000, "90:90:", 7, 31), .moves = {move_of(4, 85)}});
  ASSERT_TRUE(eventually([&] { return told_.through() == at(2000); }));
  EXPECT_EQ(told_.polls(TailObserver::Outcome::kFailed), 0);
  EXPECT_THAT(told_.events(), ElementsAre("began", "began", "A4 before 0"));
  // Whoever saw no more than heartbeat 29 may have missed what was left out.
  EXPECT_EQ(standing(4, 29), Standing::kOwnDate);
  EXPECT_EQ(standing(4, 30), Standing::kCurrent);
  EXPECT_EQ(standing(3, 30), Standing::kSuperseded);
}

TEST_F(TailTest, until_it_can_begin_nothing_is_current) {
  start();
  ASSERT_TRUE(eventually([&] { return told_.polls(TailObserver::Outcome::kFailed) > 2; }));
  EXPECT_EQ(standing(3, 15), Standing::kOwnDate);
  source_.says({.poll = poll_of(1000, "60:60:")});
  begins_at_heartbeat_10();
  ASSERT_TRUE(eventually([&] { return told_.through() == at(1000); }));
  EXPECT_EQ(standing(3, 15), Standing::kCurrent);
}

// Its clock stands still, so that what has made it busy keeps it so.
TEST_F(TailTest, it_rests_while_nobody_reads_and_a_read_wakes_it) {
  begins_at_heartbeat_10();
  source_.says({.poll = poll_of(1000, "60:60:")});
  start(std::chrono::hours(1));
  ASSERT_TRUE(eventually([&] { return told_.through() == at(1000); }));
  EXPECT_EQ(source_.asked().size(), 1u);
  attention_.note();
  EXPECT_TRUE(eventually([&] { return source_.asked().size() > 10; }));
}

TEST_F(TailTest, while_something_moves_it_does_not_rest) {
  begins_at_heartbeat_10();
  source_.says({.poll = poll_of(1000, "60:60:"), .moves = {move_of(3, 55)}});
  start(std::chrono::hours(1));
  EXPECT_TRUE(eventually([&] { return source_.asked().size() > 10; }));
}

TEST(Attention, a_note_wakes_the_one_that_rests_and_is_taken_once) {
  Attention attention;
  std::atomic<bool> woken{false};
  std::thread resting([&] { woken = attention.rest(std::chrono::hours(1), true); });
  attention.note();
  resting.join();
  EXPECT_TRUE(woken);
  EXPECT_TRUE(attention.take());
  EXPECT_FALSE(attention.take());
  // One that is there already is enough.
  attention.note();
  EXPECT_TRUE(attention.rest(std::chrono::hours(1), true));
}

TEST(Attention, stopping_ends_any_rest) {
  Attention attention;
  std::thread resting([&] { EXPECT_FALSE(attention.rest(std::chrono::hours(1), false)); });
  attention.stop();
  resting.join();
}

}  // namespace
}  // namespace stock::feed

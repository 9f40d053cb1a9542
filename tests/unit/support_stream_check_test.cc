// The judge of streams is judged: watches and streams of movements that are forged, each with one
// lie, and true ones without any.
#include "unit/forged_world.h"

namespace stock::support {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const Key kShelf{"lamp", "north"};

// A lamp with five versions, long ago; then streams, which are told what happens by tell().
class StreamCheckTest : public ::testing::Test {
 protected:
  StreamCheckTest() {
    for (int i = 0; i < 5; ++i) move(kLamp);
  }

  LedgerMovement& move(const Key& key) {
    LedgerMovement& made = world_.move(key, 10);
    world_.pass(kLong);
    return made;
  }

  // ---- A watch

  WatchLog& watch(std::vector<Key> keys, std::string location = "") {
    auto& log = world_.history.watches.emplace_back();
    log.keys = std::move(keys);
    log.location = std::move(location);
    call(false);
    return log;
  }
  StreamCall<Change>& call(bool resumed) {
    auto& call = world_.history.watches.back().calls.emplace_back();
    call.from = "forge";
    call.sent = local(world_.now());
    call.resumed = resumed;
    return call;
  }
  // Says what is true of the keys now, and that it is complete.
  StreamMessage<Change>& tell(const std::vector<Key>& keys) {
    auto& message = world_.history.watches.back().calls.back().messages.emplace_back();
    const microseconds then = world_.now();
    for (const Key& key : keys) message.items.push_back({world_.truth(key, then, "primary"), 0});
    message.watermark = database(then);
    message.resumable = true;
    world_.pass(microseconds(100));
    message.received = local(world_.now());
    return message;
  }

  // ---- A stream of movements

  MovementLog& stream(bool from_beginning) {
    auto& log = world_.history.movement_streams.emplace_back();
    log.from_beginning = from_beginning;
    call_stream(false);
    return log;
  }
  StreamCall<ToldMovement>& call_stream(bool resumed) {
    auto& call = world_.history.movement_streams.back().calls.emplace_back();
    call.from = "forge";
    call.sent = local(world_.now());
    call.resumed = resumed;
    return call;
  }
  StreamMessage<ToldMovement>& send(const Key& key, Version first, Version last) {
    auto& message = world_.history.movement_streams.back().calls.back().messages.emplace_back();
    for (Version v = first; v <= last; ++v) {
      const auto& made = world_.era.ledger.movements[key][static_cast<std::size_t>(v - 1)];
      message.items.push_back({.key = key,
                               .version = v,
                               .deleted = !made.exists,
                               .counts = made.counts,
                               .on_hand_delta = made.on_hand_delta,
                               .committed_at = made.committed_at,
                               .request = made.request});
    }
    message.watermark = database(world_.now());
    message.resumable = true;
    world_.pass(microseconds(100));
    message.received = local(world_.now());
    return message;
  }

  void expect(OffenceKind kind, const std::string& told = "lamp@main") {
    const Verdict verdict = world_.verdict();
    EXPECT_THAT(kinds(verdict), ElementsAre(kind)) << verdict.text();
    EXPECT_THAT(verdict.text(), HasSubstr(told));
  }
  void expect_nothing() {
    EXPECT_EQ(world_.verdict().offences_total, 0u) << world_.verdict().text();
  }
  void be_quiet() { world_.history.quiet_since = database(world_.now()); }

  World world_;
};

TEST_F(StreamCheckTest, a_watch_that_tells_everything) {
  watch({kLamp, kVase});
  tell({kLamp, kVase}).initial = true;
  for (int i = 0; i < 3; ++i) {
    move(kLamp);
    tell({kLamp});
  }
  be_quiet();
  tell({});
  expect_nothing();
}

TEST_F(StreamCheckTest, a_watched_level_that_is_not_the_ledgers) {
  watch({kLamp});
  tell({kLamp}).items[0].level.counts.on_hand = 49;
  expect(OffenceKind::kWrongCounts);
}

TEST_F(StreamCheckTest, a_watched_level_that_had_been_replaced) {
  watch({kLamp});
  auto& message = tell({kLamp});
  message.watermark.reset();
  const auto& older = world_.era.ledger.movements[kLamp][3];
  message.items[0].level.version = older.version;
  message.items[0].level.counts = older.counts;
  message.items[0].level.as_of = older.committed_at;
  expect(OffenceKind::kStaleClaim);
}

TEST_F(StreamCheckTest, a_watched_level_of_the_future) {
  watch({kLamp});
  tell({kLamp}).items[0].level.true_through += kLong;
  expect(OffenceKind::kNotYetTrue);
}

TEST_F(StreamCheckTest, a_key_that_was_not_asked_for) {
  watch({kLamp});
  tell({kLamp, kVase});
  expect(OffenceKind::kWrongAnswer, "vase@main");
}

TEST_F(StreamCheckTest, a_version_that_is_told_twice) {
  watch({kLamp});
  tell({kLamp});
  tell({kLamp});
  expect(OffenceKind::kOutOfOrder);
}

TEST_F(StreamCheckTest, a_version_that_is_told_behind_a_newer_one_after_a_resume) {
  watch({kLamp});
  tell({kLamp});
  call(true);
  tell({kLamp});
  expect_nothing();  // once more, after a resume
  move(kLamp);
  auto& message = tell({kLamp});
  const StreamMessage<Change> older = world_.history.watches.back().calls[0].messages[0];
  call(true).messages = {older};
  message.watermark.reset();
  world_.history.watches.back().calls.back().messages[0].watermark.reset();
  expect(OffenceKind::kOutOfOrder, "resumed behind");
}

TEST_F(StreamCheckTest, versions_that_are_left_out_without_a_word) {
  watch({kLamp});
  tell({kLamp});
  move(kLamp);
  move(kLamp);
  auto& message = tell({kLamp});
  expect(OffenceKind::kConflatedSilently);
  message.items[0].left_out = 1;
  expect_nothing();
  message.items[0].left_out = 2;
  expect(OffenceKind::kConflatedSilently);
}

// Nobody ever saw it.
TEST_F(StreamCheckTest, a_version_that_its_own_transaction_replaced_is_not_left_out) {
  watch({kLamp});
  tell({kLamp});
  const std::uint64_t xid = move(kLamp).xid;
  move(kLamp).xid = xid;
  tell({kLamp});
  expect_nothing();
}

TEST_F(StreamCheckTest, a_watermark_that_covers_what_was_not_told) {
  watch({kLamp});
  tell({kLamp});
  move(kLamp);
  auto& message = tell({});
  expect(OffenceKind::kLostChange);
  message.watermark = world_.era.ledger.movements[kLamp].back().committed_at;
  expect_nothing();
}

TEST_F(StreamCheckTest, a_watermark_of_the_future) {
  watch({kLamp});
  *tell({kLamp}).watermark += kLong;
  expect(OffenceKind::kNotYetTrue, "complete through");
}

TEST_F(StreamCheckTest, a_key_of_which_nothing_is_told) {
  watch({kLamp, kVase});
  tell({kLamp});
  expect(OffenceKind::kLostChange, "vase@main");
}

TEST_F(StreamCheckTest, a_location_is_watched_with_the_keys_that_come) {
  move(kShelf).exists = false;
  world_.era.ledger.movements[kShelf][0].counts = {.on_hand = 10};
  watch({}, "north");
  tell({}).initial = true;
  expect_nothing();  // what has no level is not told at first
  move(kShelf);
  auto& message = tell({});
  expect(OffenceKind::kLostChange, "lamp@north");
  message.items.push_back({world_.truth(kShelf, world_.now() - microseconds(200), "primary"), 0});
  expect_nothing();
}

TEST_F(StreamCheckTest, what_was_told_behind_the_last_token_is_told_again) {
  watch({kLamp});
  tell({kLamp});
  move(kLamp);
  auto& lost = tell({kLamp});
  lost.resumable = false;
  call(true);
  tell({});  // the token knew nothing of it
  expect(OffenceKind::kLostChange);
  world_.history.watches.back().calls[0].messages[1].resumable = true;
  expect_nothing();
}

TEST_F(StreamCheckTest, after_a_reset_everything_is_told_anew) {
  watch({kLamp, kVase});
  tell({kLamp, kVase});
  auto& message = tell({kLamp, kVase});
  message.reset = true;
  expect_nothing();
  message.items.pop_back();
  expect(OffenceKind::kLostChange, "vase@main");
}

TEST_F(StreamCheckTest, a_change_that_is_missing_in_the_end) {
  watch({kLamp});
  tell({kLamp});
  LedgerMovement& last = move(kLamp);
  be_quiet();
  auto& message = tell({});
  message.watermark = *world_.history.quiet_since;
  last.seen_by.reset();  // by which the watermark would be refuted
  expect(OffenceKind::kLostChange, "in the end");
  message.watermark = *message.watermark - microseconds(1);
  EXPECT_THAT(kinds(world_.verdict()),
              ElementsAre(OffenceKind::kLostChange, OffenceKind::kLostChange));
  EXPECT_THAT(world_.verdict().text(), HasSubstr("never came to the end"));
}

// ---- Movements

TEST_F(StreamCheckTest, a_stream_that_tells_every_movement) {
  stream(true);
  send(kLamp, 1, 3).watermark.reset();
  send(kLamp, 4, 5);
  call_stream(true);
  move(kVase);
  send(kVase, 1, 1);
  be_quiet();
  send(kVase, 2, 1);
  expect_nothing();
}

TEST_F(StreamCheckTest, a_movement_that_is_not_the_ledgers) {
  stream(true);
  send(kLamp, 1, 5).items[2].on_hand_delta = 9;
  expect(OffenceKind::kWrongCounts);
}

TEST_F(StreamCheckTest, a_movement_with_another_date) {
  stream(true);
  send(kLamp, 1, 5).items[2].committed_at += microseconds(1);
  expect(OffenceKind::kWrongAsOf);
}

TEST_F(StreamCheckTest, a_movement_that_is_told_twice) {
  stream(true);
  send(kLamp, 1, 5);
  send(kLamp, 5, 5);
  expect(OffenceKind::kMovementTwice);
}

TEST_F(StreamCheckTest, a_movement_that_is_told_twice_over_a_resume) {
  stream(true);
  send(kLamp, 1, 5);
  call_stream(true);
  send(kLamp, 5, 5);
  expect(OffenceKind::kMovementTwice);
  // Not when it had come without a token.
  world_.history.movement_streams[0].calls[0].messages[0].resumable = false;
  world_.history.movement_streams[0].calls[1].messages[0] = send(kLamp, 1, 5);
  world_.history.movement_streams[0].calls[1].messages.pop_back();
  expect_nothing();
}

TEST_F(StreamCheckTest, a_movement_that_is_left_out) {
  stream(true);
  send(kLamp, 1, 2).watermark.reset();
  send(kLamp, 4, 5);
  expect(OffenceKind::kLostMovement, "version 3 of lamp@main is left out");
}

TEST_F(StreamCheckTest, a_movement_that_is_left_out_at_the_beginning) {
  stream(true);
  send(kLamp, 2, 5);
  expect(OffenceKind::kLostMovement);
}

TEST_F(StreamCheckTest, a_watermark_that_covers_a_movement_that_was_not_told) {
  stream(true);
  send(kLamp, 1, 4);
  expect(OffenceKind::kLostMovement, "complete through");
}

TEST_F(StreamCheckTest, a_stream_from_now_on_begins_with_what_comes_next) {
  stream(false);
  send(kLamp, 6, 5);
  move(kLamp);
  move(kLamp);
  auto& message = send(kLamp, 6, 7);
  expect_nothing();
  message.items.erase(message.items.begin());
  expect(OffenceKind::kLostMovement, "begins with version 7");
}

TEST_F(StreamCheckTest, after_a_reset_movements_may_come_twice_and_none_is_left_out) {
  stream(true);
  send(kLamp, 1, 3);
  auto& message = send(kLamp, 2, 5);
  message.reset = true;
  world_.history.movement_streams[0].calls[0].messages[0].watermark.reset();
  expect_nothing();
  // What had been told may be left out of it, and what had not may not.
  message.items.erase(message.items.begin() + 1);
  expect_nothing();
  message.items.erase(message.items.begin() + 1);
  expect(OffenceKind::kLostMovement, "version 4 of lamp@main is left out");
}

TEST_F(StreamCheckTest, a_movement_that_is_missing_in_the_end) {
  stream(true);
  send(kLamp, 1, 5);
  LedgerMovement& last = move(kLamp);
  be_quiet();
  send(kLamp, 7, 6).watermark = *world_.history.quiet_since;
  last.seen_by.reset();
  expect(OffenceKind::kLostMovement, "in the end");
}

// The fifth version was lost with its primary, and made again with other counts.
class StreamsAfterFailover : public StreamCheckTest {
 protected:
  Verdict verdict() { return check_history(world_.history, {first_, world_.era}); }

  void fail_over() {
    first_ = world_.era;
    first_.ended = local(world_.now());
    world_.pass(kLong);
    world_.era.ledger.movements[kLamp].pop_back();
    world_.move(kLamp, 3);
    world_.pass(kLong);
  }

  Era first_;
};

TEST_F(StreamsAfterFailover, a_watch_is_reset_and_tells_what_there_is_now) {
  watch({kLamp});
  tell({kLamp});
  fail_over();
  auto& message = tell({kLamp});
  message.reset = true;
  EXPECT_EQ(verdict().offences_total, 0u) << verdict().text();
  // Without it the watcher would keep what was lost.
  message.reset = false;
  message.items.clear();
  EXPECT_THAT(kinds(verdict()), ElementsAre(OffenceKind::kLostChange)) << verdict().text();
}

TEST_F(StreamsAfterFailover, a_stream_of_movements_goes_back_to_what_is_common) {
  stream(true);
  send(kLamp, 1, 5);
  fail_over();
  auto& message = send(kLamp, 4, 5);
  message.reset = true;
  EXPECT_EQ(verdict().offences_total, 0u) << verdict().text();
  message.items.clear();
  EXPECT_THAT(kinds(verdict()), ElementsAre(OffenceKind::kLostMovement)) << verdict().text();
}

}  // namespace
}  // namespace stock::support

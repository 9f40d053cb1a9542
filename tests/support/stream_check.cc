#include "support/stream_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "support/history_text.h"
#include "support/statement_check.h"

namespace stock::support {
namespace {

using domain::DatabaseTime;
using domain::Key;
using domain::LocalTime;
using domain::Version;

// What the checks of both streams work with.
struct Bench {
  const History& history;
  const std::deque<EraTruth>& eras;
  const ClockBounds& clock;
  Claims& claims;

  // Told by the primary of one of the eras that it dates itself into: `check` fills what is found
  // in one of them.
  template <typename Check>
  void in_some_era(DatabaseTime dated, Check check) const {
    Found least;
    bool first = true;
    for (std::size_t i = eras.size(); i-- > 0;) {
      const EraTruth& era = eras[i];
      if (era.ended() && dated > clock.latest(*era.ended())) continue;
      Found here;
      check(era, here);
      if (first || here.size() < least.size()) least = std::move(here);
      first = false;
      if (least.empty()) break;
    }
    claims.tell(std::move(least));
  }

  double seconds(LocalTime at) const {
    if (!history.clock.empty()) at -= history.clock.front().sent.time_since_epoch();
    return std::chrono::duration<double>(at.time_since_epoch()).count();
  }

  // Where in a stream: for people.
  template <typename Item>
  std::string place(const StreamCall<Item>* call, const StreamMessage<Item>* message) const {
    if (call == nullptr) return "which was never called";
    const std::string at = fmt::format("at {} from {:.6f} s on", call->from, seconds(call->sent));
    if (message == nullptr) return at;
    return fmt::format("{}, by a message{} of {:.6f} s", at, message->reset ? " with a reset" : "",
                       seconds(message->received));
  }
};

// The last that was told of each key, and what of it stands when a call ends: that up to the last
// message with a token.
template <typename Item>
class Told {
 public:
  [[nodiscard]] const Item* last(const Key& key) const {
    const auto it = now_.find(key);
    return it == now_.end() ? nullptr : it->second;
  }
  [[nodiscard]] const std::map<Key, const Item*>& all() const { return now_; }

  void note(const Key& key, const Item& item) {
    now_[key] = &item;
    open_.push_back(key);
  }
  void forget() {
    now_.clear();
    is_anew_ = true;
  }
  // A message with a token.
  void keep() {
    if (std::exchange(is_anew_, false)) {
      kept_ = now_;
    } else {
      for (const Key& key : open_) kept_[key] = now_.at(key);
    }
    open_.clear();
  }
  // A call that goes on behind that message.
  void resume() {
    if (is_anew_) {
      now_ = kept_;
    } else {
      for (const Key& key : open_) {
        const auto it = kept_.find(key);
        if (it == kept_.end()) {
          now_.erase(key);
        } else {
          now_[key] = it->second;
        }
      }
    }
    is_anew_ = false;
    open_.clear();
  }

 private:
  std::map<Key, const Item*> now_;
  std::map<Key, const Item*> kept_;
  std::vector<Key> open_;  // told since
  bool is_anew_ = false;   // everything was forgotten since
};

std::string visible(const EraTruth& era, const Key& key, DatabaseTime by) {
  const LedgerMovement* movement = era.movement(key, era.newest_before(key, by));
  return movement == nullptr ? "the ledger: nothing"
                             : fmt::format("{} had been visible", text(*movement));
}

// ---- Watches

class WatchCheck {
 public:
  WatchCheck(const Bench& bench, const WatchLog& watch)
      : bench_(bench), watch_(watch), keys_(watch.keys.begin(), watch.keys.end()) {}

  void run() {
    for (const auto& call : watch_.calls) {
      call_ = &call;
      if (call.resumed) {
        told_.resume();
      } else {
        told_.forget();
      }
      on_call_.clear();
      for (const auto& message : call.messages) check(message);
    }
    if (bench_.history.quiet_since) check_end();
  }

 private:
  using Message = StreamMessage<Change>;

  std::string who() const {
    const std::string what = watch_.location.empty() ? fmt::format("{} keys", watch_.keys.size())
                                                     : "location " + watch_.location;
    return fmt::format("client {}'s watch of {} {}", watch_.client, what,
                       bench_.place(call_, message_));
  }

  [[nodiscard]] bool is_watched(const Key& key) const {
    return watch_.location.empty() ? keys_.contains(key) : key.location == watch_.location;
  }

  void check(const Message& message) {
    Claims& claims = bench_.claims;
    ++claims.verdict.answers;
    message_ = &message;
    if (message.reset) {
      told_.forget();
      on_call_.clear();
    }
    Found found;
    std::vector<Version> before;  // of each item: what this call had told of its key, or -1
    DatabaseTime dated = message.watermark.value_or(DatabaseTime::min());
    for (const Change& change : message.items) {
      ++claims.verdict.levels;
      const Statement& said = change.level;
      dated = std::max(dated, said.true_through);
      claims.check(is_watched(said.key), found, OffenceKind::kWrongAnswer,
                   [&] { return fmt::format("{}: {} was not asked for", who(), text(said.key)); });
      before.push_back(check_order(said, found));
      told_.note(said.key, said);
      on_call_[said.key] = said.version;
    }
    claims.tell(std::move(found));
    bench_.in_some_era(
        dated, [&](const EraTruth& era, Found& here) { check_in(era, message, before, here); });
    if (message.resumable) told_.keep();
  }

  // On one call none comes twice; after a resume one may.
  Version check_order(const Statement& said, Found& found) {
    if (const auto it = on_call_.find(said.key); it != on_call_.end()) {
      bench_.claims.check(said.version > it->second, found, OffenceKind::kOutOfOrder, [&] {
        return fmt::format("{}: version {} of {} after version {}", who(), said.version,
                           text(said.key), it->second);
      });
      return it->second;
    }
    const Statement* last = told_.last(said.key);
    bench_.claims.check(last == nullptr || said.version >= last->version, found,
                        OffenceKind::kOutOfOrder, [&] {
                          return fmt::format("{}: version {} of {}, resumed behind version {}",
                                             who(), said.version, text(said.key), last->version);
                        });
    return -1;
  }

  void check_in(const EraTruth& era, const Message& message, const std::vector<Version>& before,
                Found& found) {
    const DatabaseTime latest = bench_.clock.latest(message.received);
    const Who teller = [this] { return who(); };
    for (std::size_t i = 0; i < message.items.size(); ++i) {
      const Change& change = message.items[i];
      if (!check_content(bench_.claims, teller, change.level, era, Versions::kVisible, found)) {
        continue;
      }
      check_dates(bench_.claims, teller, change.level, latest, era, found);
      if (before[i] >= 0 && before[i] < change.level.version)
        check_left_out(era, change, before[i], found);
    }
    if (message.watermark) check_watermark(era, *message.watermark, latest, found);
  }

  void check_left_out(const EraTruth& era, const Change& change, Version before, Found& found) {
    const Statement& said = change.level;
    const std::int64_t skipped = era.visible_between(said.key, before, said.version);
    const bool right = skipped <= change.left_out && change.left_out <= said.version - before - 1;
    bench_.claims.check(right, found, OffenceKind::kConflatedSilently, [&] {
      return fmt::format(
          "{}: version {} of {} after version {}, {} of which are said to be left "
          "out, and {} were",
          who(), said.version, text(said.key), before, change.left_out, skipped);
    });
  }

  void check_watermark(const EraTruth& era, DatabaseTime through, DatabaseTime latest,
                       Found& found) {
    bench_.claims.check(through <= latest, found, OffenceKind::kNotYetTrue, [&] {
      return fmt::format("{}: complete through {}, when the database's clock had not passed {}",
                         who(), text(through), text(latest));
    });
    const auto check_key = [&](const Key& key) {
      bench_.claims.check(shows(era, key, through), found, OffenceKind::kLostChange, [&] {
        const Statement* last = told_.last(key);
        return fmt::format("{}: complete through {}, and the last that was told of {} is {}; {}",
                           who(), text(through), text(key),
                           last == nullptr ? "nothing" : text(*last), visible(era, key, through));
      });
    };
    if (watch_.location.empty()) {
      for (const Key& key : watch_.keys) check_key(key);
      return;
    }
    for (const auto& [key, movements] : era.ledger().movements) {
      if (key.location == watch_.location) check_key(key);
    }
  }

  // Whether what was told of the key is all that had become visible by then.
  [[nodiscard]] bool shows(const EraTruth& era, const Key& key, DatabaseTime through) const {
    const Statement* last = told_.last(key);
    if (last == nullptr) return !watch_.location.empty() && may_be_untold(era, key, through);
    if (last->version > 0) {
      const LedgerMovement* movement = era.movement(key, last->version);
      if (movement == nullptr || movement->committed_at != last->as_of) return false;
    }
    const auto replaced = era.replaced_by(key, last->version);
    return !replaced || *replaced >= through;
  }

  // Of a location only what there is is told at first: the key had no level when it was read.
  static bool may_be_untold(const EraTruth& era, const Key& key, DatabaseTime through) {
    const auto candidates = era.candidates(key, through, through, 0);
    return std::ranges::any_of(candidates, [](const EraTruth::Candidate& candidate) {
      return candidate.movement == nullptr || !candidate.movement->exists;
    });
  }

  // After the last write everyone has been told everything.
  void check_end() {
    Found found;
    const EraTruth& era = bench_.eras.back();
    DatabaseTime through = DatabaseTime::min();
    if (!watch_.calls.empty()) {
      for (const auto& message : watch_.calls.back().messages) {
        through = std::max(through, message.watermark.value_or(through));
      }
    }
    bench_.claims.check(through >= *bench_.history.quiet_since, found, OffenceKind::kLostChange,
                        [&] { return fmt::format("{}: never came to the end", who()); });
    for (const auto& [key, movements] : era.ledger().movements) {
      if (!is_watched(key) || movements.empty()) continue;
      const LedgerMovement& newest = movements.back();
      const Statement* last = told_.last(key);
      const bool told = last == nullptr
                            ? !watch_.location.empty() && !newest.exists
                            : last->version == newest.version && last->as_of == newest.committed_at;
      bench_.claims.check(told, found, OffenceKind::kLostChange, [&] {
        return fmt::format("{}: in the end {} is {}, and the last that was told is {}", who(),
                           text(key), text(newest), last == nullptr ? "nothing" : text(*last));
      });
    }
    bench_.claims.tell(std::move(found));
  }

  const Bench& bench_;
  const WatchLog& watch_;
  const std::set<Key> keys_;
  const StreamCall<Change>* call_ = nullptr;
  const Message* message_ = nullptr;
  Told<Statement> told_;
  std::map<Key, Version> on_call_;  // the last version of each key, since a reset
};

// ---- Movements

class MovementCheck {
 public:
  MovementCheck(const Bench& bench, const MovementLog& stream) : bench_(bench), stream_(stream) {}

  void run() {
    for (const auto& call : stream_.calls) {
      call_ = &call;
      if (call.resumed) {
        told_.resume();
      } else {
        told_.forget();
        all_.clear();
        went_back_.clear();
        if (!call.messages.empty()) began_by_ = begin_of(call.messages.front());
      }
      for (const auto& message : call.messages) check(message);
    }
    if (bench_.history.quiet_since) check_end();
  }

 private:
  using Message = StreamMessage<ToldMovement>;

  std::string who() const {
    return fmt::format("client {}'s stream of the movements {} {}", stream_.client,
                       stream_.location.empty() ? "everywhere" : "in " + stream_.location,
                       bench_.place(call_, message_));
  }

  // A stream from now on begins when the server has the call: it had by its first message; and by
  // the watermark, if that is all that the message tells.
  [[nodiscard]] DatabaseTime begin_of(const Message& first) const {
    return first.watermark && first.items.empty() ? *first.watermark
                                                  : bench_.clock.latest(first.received);
  }

  [[nodiscard]] bool is_wanted(const Key& key) const {
    return stream_.location.empty() || key.location == stream_.location;
  }

  void check(const Message& message) {
    Claims& claims = bench_.claims;
    ++claims.verdict.answers;
    message_ = &message;
    // The position has gone back, nobody says how far: each key may go on from before where it was.
    if (message.reset) {
      for (const auto& [key, last] : told_.all()) went_back_.insert(key);
    }
    Found found;
    skipped_.clear();
    std::vector<bool> first;  // of each item: nothing of its key was told before
    DatabaseTime dated = message.watermark.value_or(DatabaseTime::min());
    for (const ToldMovement& said : message.items) {
      ++claims.verdict.levels;
      dated = std::max(dated, said.committed_at);
      claims.check(is_wanted(said.key), found, OffenceKind::kWrongAnswer,
                   [&] { return fmt::format("{}: {} was not asked for", who(), text(said.key)); });
      first.push_back(told_.last(said.key) == nullptr && !stream_.from_beginning);
      if (!first.back()) check_order(said, found);
      told_.note(said.key, said);
      all_[said.key][said.version] = said.committed_at;
    }
    claims.tell(std::move(found));
    bench_.in_some_era(
        dated, [&](const EraTruth& era, Found& here) { check_in(era, message, first, here); });
    if (message.resumable) told_.keep();
  }

  void check_order(const ToldMovement& said, Found& found) {
    const ToldMovement* last = told_.last(said.key);
    const Version before = last == nullptr ? 0 : last->version;
    const bool may_repeat = went_back_.erase(said.key) > 0;
    bench_.claims.check(said.version > before || may_repeat, found, OffenceKind::kMovementTwice,
                        [&] {
                          return fmt::format("{}: version {} of {} after version {}", who(),
                                             said.version, text(said.key), before);
                        });
    for (Version v = before + 1; v < said.version; ++v) skipped_.emplace_back(said.key, v);
  }

  void check_in(const EraTruth& era, const Message& message, const std::vector<bool>& first,
                Found& found) {
    const DatabaseTime latest = bench_.clock.latest(message.received);
    for (std::size_t i = 0; i < message.items.size(); ++i) {
      check_content(era, message.items[i], latest, found);
      if (first[i]) check_first(era, message.items[i], found);
    }
    // Only what was told before, and went back behind it with a reset, need not be told again.
    for (const auto& [key, version] : skipped_) {
      bench_.claims.check(has_told(era, key, version), found, OffenceKind::kLostMovement, [&] {
        return fmt::format("{}: version {} of {} is left out", who(), version, text(key));
      });
    }
    if (!message.watermark) return;
    bench_.claims.check(*message.watermark <= latest, found, OffenceKind::kNotYetTrue, [&] {
      return fmt::format("{}: complete through {}, when the database's clock had not passed {}",
                         who(), text(*message.watermark), text(latest));
    });
    for (const auto& [key, movements] : era.ledger().movements) {
      if (is_wanted(key)) check_complete(era, key, *message.watermark, found);
    }
  }

  void check_content(const EraTruth& era, const ToldMovement& said, DatabaseTime latest,
                     Found& found) {
    const LedgerMovement* movement = era.movement(said.key, said.version);
    bench_.claims.check(movement != nullptr, found, OffenceKind::kNoSuchVersion, [&] {
      return fmt::format("{}: version {} of {}; the ledger has no such version", who(),
                         said.version, text(said.key));
    });
    if (movement == nullptr) return;
    const bool same = movement->exists == !said.deleted && movement->counts == said.counts &&
                      movement->on_hand_delta == said.on_hand_delta &&
                      movement->request == said.request;
    bench_.claims.check(same, found, OffenceKind::kWrongCounts, [&] {
      return fmt::format(
          "{}: version {} of {} is said to be {} by {:+} of request {}; the ledger: "
          "{} by {:+} of request {}",
          who(), said.version, text(said.key), text(said.counts), said.on_hand_delta, said.request,
          text(*movement), movement->on_hand_delta, movement->request);
    });
    bench_.claims.check(
        movement->committed_at == said.committed_at, found, OffenceKind::kWrongAsOf, [&] {
          return fmt::format(
              "{}: version {} of {} is said to be committed {}; the "
              "ledger: {}",
              who(), said.version, text(said.key), text(said.committed_at), text(*movement));
        });
    bench_.claims.check(said.committed_at <= latest, found, OffenceKind::kNotYetTrue, [&] {
      return fmt::format(
          "{}: version {} of {} is said to be committed {}, when the database's "
          "clock had not passed {}",
          who(), said.version, text(said.key), text(said.committed_at), text(latest));
    });
  }

  // Of a stream from now on: nothing that was committed after its beginning is left out.
  void check_first(const EraTruth& era, const ToldMovement& said, Found& found) {
    const LedgerMovement* before = era.movement(said.key, said.version - 1);
    bench_.claims.check(before == nullptr || before->committed_at <= began_by_, found,
                        OffenceKind::kLostMovement, [&] {
                          return fmt::format(
                              "{}: begins with version {} of {}, and {} came after "
                              "it had begun",
                              who(), said.version, text(said.key), text(*before));
                        });
  }

  // The last version that need not have been told, as far as is known.
  [[nodiscard]] Version before_the_beginning(const EraTruth& era, const Key& key) const {
    if (stream_.from_beginning) return 0;
    const auto it = era.ledger().movements.find(key);
    if (it == era.ledger().movements.end()) return 0;
    const auto later =
        std::ranges::upper_bound(it->second, began_by_, {}, &LedgerMovement::committed_at);
    return static_cast<Version>(later - it->second.begin());
  }

  // Versions come in order: who has been told of the newest has been told of all before it, or knew
  // them. (In another era the same version may be another movement.)
  [[nodiscard]] bool has_told(const EraTruth& era, const Key& key, Version version) const {
    if (version <= before_the_beginning(era, key)) return true;
    const auto it = all_.find(key);
    if (it == all_.end()) return false;
    const auto said = it->second.find(version);
    const LedgerMovement* movement = era.movement(key, version);
    return said != it->second.end() && movement != nullptr &&
           said->second == movement->committed_at;
  }

  void check_complete(const EraTruth& era, const Key& key, DatabaseTime through, Found& found) {
    const Version newest = era.newest_before(key, through);
    bench_.claims.check(has_told(era, key, newest), found, OffenceKind::kLostMovement, [&] {
      return fmt::format("{}: complete through {}, and the last that was told of {} is {}; {}",
                         who(), text(through), text(key), last_of(key), visible(era, key, through));
    });
  }

  std::string last_of(const Key& key) const {
    const ToldMovement* last = told_.last(key);
    return last == nullptr
               ? "nothing"
               : fmt::format("version {}, committed {}", last->version, text(last->committed_at));
  }

  void check_end() {
    Found found;
    const EraTruth& era = bench_.eras.back();
    DatabaseTime through = DatabaseTime::min();
    if (!stream_.calls.empty()) {
      for (const auto& message : stream_.calls.back().messages) {
        through = std::max(through, message.watermark.value_or(through));
      }
    }
    bench_.claims.check(through >= *bench_.history.quiet_since, found, OffenceKind::kLostMovement,
                        [&] { return fmt::format("{}: never came to the end", who()); });
    for (const auto& [key, movements] : era.ledger().movements) {
      if (!is_wanted(key) || movements.empty()) continue;
      const Version newest = movements.back().version;
      bench_.claims.check(has_told(era, key, newest), found, OffenceKind::kLostMovement, [&] {
        return fmt::format("{}: in the end {} is {}, and the last that was told is {}", who(),
                           text(key), text(movements.back()), last_of(key));
      });
    }
    bench_.claims.tell(std::move(found));
  }

  const Bench& bench_;
  const MovementLog& stream_;
  const StreamCall<ToldMovement>* call_ = nullptr;
  const Message* message_ = nullptr;
  Told<ToldMovement> told_;
  std::map<Key, std::map<Version, DatabaseTime>> all_;  // when each was committed, as told last
  std::vector<std::pair<Key, Version>> skipped_;        // by this message
  std::set<Key> went_back_;  // keys of which nothing was told since a reset
  DatabaseTime began_by_;    // of a stream from now on
};

}  // namespace

void check_streams(const History& history, const std::deque<EraTruth>& eras,
                   const ClockBounds& clock, Claims& claims) {
  const Bench bench{.history = history, .eras = eras, .clock = clock, .claims = claims};
  for (const WatchLog& watch : history.watches) WatchCheck(bench, watch).run();
  for (const MovementLog& stream : history.movement_streams) MovementCheck(bench, stream).run();
}

}  // namespace stock::support

#include "support/history_checker.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <utility>

#include "support/claims.h"
#include "support/clock_bounds.h"
#include "support/era_truth.h"
#include "support/history_text.h"
#include "support/statement_check.h"
#include "support/stream_check.h"
#include "support/sum_check.h"

namespace stock::support {
namespace {

using domain::Counts;
using domain::DatabaseTime;
using domain::Key;
using domain::LocalTime;
using domain::Version;
using std::chrono::microseconds;

// What each client saw of each key, and when, as it grew.
class Seen {
 public:
  void note(const Key& key, LocalTime at, Version version) {
    std::vector<std::pair<LocalTime, Version>>& seen = seen_[key];
    if (seen.empty() || seen.back().second < version) seen.emplace_back(at, version);
  }
  [[nodiscard]] Version before(const Key& key, LocalTime at) const {
    const auto it = seen_.find(key);
    if (it == seen_.end()) return 0;
    Version version = 0;
    for (const auto& [when, what] : it->second) {
      if (when >= at) break;
      version = what;
    }
    return version;
  }

 private:
  std::map<Key, std::vector<std::pair<LocalTime, Version>>> seen_;
};

// The attempts at one request.
struct Request {
  std::vector<const WriteOp*> attempts;
  LocalTime first_sent = LocalTime::max();
  bool acknowledged = false;
  bool unknown = false;
};

class Checker {
 public:
  Checker(const History& history, const std::vector<Era>& eras)
      : history_(history), clock_(history.clock) {
    for (const Era& era : eras) eras_.emplace_back(era, clock_);
    for (const WriteOp& write : history.writes) {
      Request& request = requests_[write.request];
      request.attempts.push_back(&write);
      request.first_sent = std::min(request.first_sent, write.sent);
      request.acknowledged |= write.fate == Fate::kAcknowledged;
      request.unknown |= write.fate == Fate::kUnknown;
    }
    collect_sightings();
    collect_what_clients_saw();
  }

  Verdict run() {
    for (const EraTruth& era : eras_) check_ledger(era);
    for (const auto& [id, request] : requests_) check_request(id, request);
    for (const ReadOp& read : history_.reads) check_read(read);
    check_streams(history_, eras_, clock_, claims_);
    return std::move(claims_.verdict);
  }

 private:
  // ---- What was visible by when

  void collect_sightings() {
    for (EraTruth& era : eras_) {
      for (const WriteOp& write : history_.writes) {
        if (write.fate != Fate::kAcknowledged) continue;
        const auto* made = era.made_by(write.request);
        if (made == nullptr) continue;
        // An answer of another era proves nothing of what was made again after it had been lost.
        const bool elsewhere = era_of(write.sent, write.received) != &era;
        for (const auto& [key, version] : *made) {
          const DatabaseTime committed = era.movement(key, version)->committed_at;
          if (elsewhere && committed > clock_.latest(write.received)) continue;
          era.seen(key, version, write.received);
        }
      }
      for (const ReadOp& read : history_.reads) {
        for (const Statement& said : read.levels) {
          if (said.layer != "primary" || read.asked > Asked::kAtLeast) continue;
          const LedgerMovement* movement = era.movement(said.key, said.version);
          if (movement != nullptr && movement->committed_at == said.as_of) {
            era.seen(said.key, said.version, read.received);
          }
        }
      }
    }
    for (const Sighting& sighting : history_.sightings) {
      if (EraTruth* era = era_of(sighting.sent, sighting.received)) {
        era->seen(sighting.key, sighting.version, sighting.received);
      }
    }
    for (EraTruth& era : eras_) era.seal();
  }

  // Nothing where it can have been either of two.
  EraTruth* era_of(LocalTime sent, LocalTime received) {
    for (EraTruth& era : eras_) {
      if (!era.ended() || received <= *era.ended()) return &era;
      if (sent <= *era.ended()) return nullptr;
    }
    return nullptr;
  }

  void collect_what_clients_saw() {
    struct Look {
      LocalTime at;
      int client;
      const Key* key;
      Version version;
    };
    std::vector<Look> looks;
    for (const ReadOp& read : history_.reads) {
      if (read.asked > Asked::kAtLeast) continue;
      for (const Statement& said : read.levels) {
        looks.push_back({read.received, read.client, &said.key, said.version});
      }
    }
    for (const WriteOp& write : history_.writes) {
      for (const WrittenLevel& level : write.levels) {
        looks.push_back({write.received, write.client, &level.key, level.version});
      }
    }
    std::ranges::sort(looks, {}, &Look::at);
    for (const Look& look : looks) seen_[look.client].note(*look.key, look.at, look.version);
  }

  // ---- Telling

  double seconds(LocalTime at) {
    if (!history_.clock.empty()) at -= history_.clock.front().sent.time_since_epoch();
    return std::chrono::duration<double>(at.time_since_epoch()).count();
  }

  std::string text_of(const ReadOp& read) {
    constexpr std::array<std::string_view, 5> kAsked = {
        "bounded", "fully consistent", "with a token", "of a past instant", "of a version"};
    return fmt::format("read #{} ({}) of client {} at {} from {:.6f} s to {:.6f} s",
                       &read - history_.reads.data(),
                       kAsked.at(static_cast<std::size_t>(read.asked)), read.client, read.from,
                       seconds(read.sent), seconds(read.received));
  }

  std::string text_of(const WriteOp& write) {
    return fmt::format("write #{} (request {}) of client {} at {} from {:.6f} s to {:.6f} s",
                       &write - history_.writes.data(), write.request, write.client, write.from,
                       seconds(write.sent), seconds(write.received));
  }

  // ---- The ledger itself

  void check_ledger(const EraTruth& era) {
    Found found;
    for (const auto& [key, movements] : era.ledger().movements) {
      Counts before;
      for (std::size_t i = 0; i < movements.size(); ++i) {
        const LedgerMovement& movement = movements[i];
        claims_.check(movement.version == static_cast<Version>(i + 1), found,
                      OffenceKind::kBrokenLedger, [&] {
                        return fmt::format("the ledger: {} has version {} in place {}", text(key),
                                           movement.version, i + 1);
                      });
        claims_.check(movement.counts.on_hand - before.on_hand == movement.on_hand_delta, found,
                      OffenceKind::kBrokenLedger, [&] {
                        return fmt::format("the ledger: {} {} is said to differ by {} from {}",
                                           text(key), text(movement), movement.on_hand_delta,
                                           text(before));
                      });
        before = movement.counts;
      }
    }
    claims_.tell(std::move(found));
  }

  // ---- Writes

  void check_request(const std::string& id, const Request& request) {
    Found found;
    if (request.acknowledged) {
      int applied = 0;
      for (const WriteOp* write : request.attempts) {
        if (write->fate != Fate::kAcknowledged) continue;
        check_acknowledged(*write, found);
        applied += write->replayed ? 0 : 1;
      }
      claims_.check(applied <= 1 || eras_.size() > 1, found, OffenceKind::kAppliedTwice, [&] {
        return fmt::format("request {}: {} answers say that they applied it", id, applied);
      });
    } else if (!request.unknown) {
      for (const EraTruth& era : eras_) {
        claims_.check(!era.ledger().requests.contains(id) && era.made_by(id) == nullptr, found,
                      OffenceKind::kRefusedApplied, [&] {
                        return fmt::format("{}: refused, and the ledger applied it",
                                           text_of(*request.attempts.front()));
                      });
      }
    }
    claims_.verdict.answers += request.attempts.size();
    claims_.tell(std::move(found));
  }

  void check_acknowledged(const WriteOp& write, Found& found) {
    Found least;
    bool first = true;
    for (const EraTruth& era : eras_) {
      // Acknowledged by the primary of one of the eras that the call touched.
      if (era.ended() && write.sent > *era.ended()) continue;
      Found here;
      check_acknowledged(write, era, here);
      if (first || here.size() < least.size()) least = std::move(here);
      first = false;
      if (least.empty() || (era.ended() && write.received <= *era.ended())) break;
    }
    std::ranges::move(least, std::back_inserter(found));
  }

  void check_acknowledged(const WriteOp& write, const EraTruth& era, Found& found) {
    const auto it = era.ledger().requests.find(write.request);
    claims_.check(it != era.ledger().requests.end(), found, OffenceKind::kLostWrite, [&] {
      return fmt::format("{}: acknowledged, and the ledger does not hold it", text_of(write));
    });
    if (it == era.ledger().requests.end()) return;

    std::map<Key, int> made;
    if (const auto* movements = era.made_by(write.request)) {
      for (const auto& [key, version] : *movements) {
        ++made[key];
        const auto promised = it->second.find(key);
        claims_.check(
            promised != it->second.end() && promised->second == version, found,
            OffenceKind::kAppliedTwice, [&] {
              return fmt::format(
                  "{}: the ledger has a movement of it, {} version {}, that the request did not "
                  "make",
                  text_of(write), text(key), version);
            });
      }
    }
    for (const auto& [key, n] : made) {
      claims_.check(n == 1, found, OffenceKind::kAppliedTwice, [&] {
        return fmt::format("{}: the ledger has {} movements of it on {}, where there should be one",
                           text_of(write), n, text(key));
      });
    }
    for (const auto& [key, delta] : write.deltas) {
      const auto version = it->second.find(key);
      const LedgerMovement* movement =
          version == it->second.end() ? nullptr : era.movement(key, version->second);
      claims_.check(movement != nullptr && movement->on_hand_delta == delta, found,
                    OffenceKind::kWrongAnswer, [&] {
                      return fmt::format("{}: asked for {:+} on {}, and the ledger says {}",
                                         text_of(write), delta, text(key),
                                         movement == nullptr
                                             ? "nothing"
                                             : fmt::format("{:+}", movement->on_hand_delta));
                    });
    }
    for (const WrittenLevel& level : write.levels) {
      ++claims_.verdict.levels;
      const LedgerMovement* movement = era.movement(level.key, level.version);
      claims_.check(movement != nullptr && movement->counts == level.counts, found,
                    OffenceKind::kWrongAnswer, [&] {
                      return fmt::format(
                          "{}: said that it left {} at version {} {}; the ledger: {}",
                          text_of(write), text(level.key), level.version, text(level.counts),
                          movement == nullptr ? "no such version" : text(*movement));
                    });
    }
  }

  // ---- Reads

  void check_read(const ReadOp& read) {
    ++claims_.verdict.answers;
    if (read.write_lost) return check_write_lost(read);
    if (read.version_denied) return check_version_denied(read);
    const Moment moment{.earliest = clock_.earliest(read.sent),
                        .latest = clock_.latest(read.received)};
    microseconds oldest(0);
    for (const Statement& said : read.levels) {
      ++claims_.verdict.levels;
      oldest = std::max(oldest, said.age);
      check_statement(read, said, moment);
    }
    for (const Total& total : read.totals) {
      oldest = std::max(oldest, total.age);
      check_total(read, total, moment);
    }
    if (!read.cart.empty()) check_cart(read, moment);
    Found found;
    claims_.check(read.age >= oldest, found, OffenceKind::kAgeTooSmall, [&] {
      return fmt::format("{}: says that its oldest part is {} old, and one is {}", text_of(read),
                         text(read.age), text(oldest));
    });
    if (read.levels.empty() && read.asked == Asked::kBounded && !read.bound_missed) {
      claims_.check(read.age + read.uncertainty <= read.bound, found, OffenceKind::kBoundExceeded,
                    [&] {
                      return fmt::format("{}: is {} ± {} old, and no more than {} were asked for",
                                         text_of(read), text(read.age), text(read.uncertainty),
                                         text(read.bound));
                    });
    }
    claims_.tell(std::move(found));
  }

  // Only what the newest ledger does not hold is lost.
  void check_write_lost(const ReadOp& read) {
    Found found;
    claims_.check(!eras_.back().ledger().requests.contains(read.token_of), found,
                  OffenceKind::kFalselyLost, [&] {
                    return fmt::format("{}: says that request {} was lost, and the ledger holds it",
                                       text_of(read), read.token_of);
                  });
    claims_.tell(std::move(found));
  }

  // What the database's clock can have read while the call was under way.
  struct Moment {
    DatabaseTime earliest;
    DatabaseTime latest;
  };

  // It may be the truth of any era that it dates itself into.
  void check_statement(const ReadOp& read, const Statement& said, const Moment& moment) {
    Found least;
    bool first = true;
    for (std::size_t i = eras_.size(); i-- > 0;) {
      const EraTruth& era = eras_[i];
      if (era.ended() && said.true_through > clock_.latest(*era.ended())) continue;
      Found here;
      check_statement(read, said, moment, era, here);
      if (first || here.size() < least.size()) least = std::move(here);
      first = false;
      if (least.empty()) break;
    }
    claims_.tell(std::move(least));
  }

  void check_statement(const ReadOp& read, const Statement& said, const Moment& moment,
                       const EraTruth& era, Found& found) {
    const Who who = [&] { return text_of(read); };
    const Versions allowed = read.asked == Asked::kVersion ? Versions::kAny : Versions::kVisible;
    if (!check_content(claims_, who, said, era, allowed, found)) return;
    if (read.asked == Asked::kReadTime) {
      return check_instant(read, said, moment.latest, era, found);
    }
    check_dates(claims_, who, said, moment.latest, era, found);
    check_ages(read, said, moment, era, found);
    if (read.asked == Asked::kVersion) check_version(read, said, found);
    if (read.bound_missed) return;
    if (read.asked == Asked::kFullyConsistent) check_consistent(read, said, moment, era, found);
    if (read.asked == Asked::kAtLeast) check_token(read, said, era, found);
  }

  void check_version(const ReadOp& read, const Statement& said, Found& found) {
    claims_.check(said.version == read.version, found, OffenceKind::kWrongPast, [&] {
      return fmt::format("{}: {} was asked for version {}, and is said to be {}", text_of(read),
                         text(said.key), read.version, text(said));
    });
  }

  void check_instant(const ReadOp& read, const Statement& said, DatabaseTime latest,
                     const EraTruth& era, Found& found) {
    claims_.check(era.possible_at(said.key, said.version, read.read_time) &&
                      said.true_through == read.read_time,
                  found, OffenceKind::kWrongPast, [&] {
                    return fmt::format("{}: {} is said to have been {} at {}, when it was not",
                                       text_of(read), text(said.key), text(said),
                                       text(read.read_time));
                  });
    const LedgerMovement* movement = era.movement(said.key, said.version);
    if (movement == nullptr || !movement->seen_by) return;
    // It became true between its commit and the proof of it. (Who asked before that was recorded is
    // told so for a little longer.)
    claims_.check(said.in_transition || read.read_time > *movement->seen_by, found,
                  OffenceKind::kWrongTransition, [&] {
                    return fmt::format(
                        "{}: {} is said to be {}, not in transition at {}; it was "
                        "seen by {}",
                        text_of(read), text(said.key), text(said), text(read.read_time),
                        text(*movement->seen_by));
                  });
    claims_.check(!said.seen_by || (said.seen_by >= said.as_of && *said.seen_by <= latest), found,
                  OffenceKind::kWrongTransition, [&] {
                    return fmt::format(
                        "{}: {} is said to be {}, seen by {}, when the database's "
                        "clock had not passed {}",
                        text_of(read), text(said.key), text(said), text(*said.seen_by),
                        text(latest));
                  });
  }

  // Only what nobody can have seen before can be unknown.
  void check_version_denied(const ReadOp& read) {
    Found least;
    bool first = true;
    for (const EraTruth& era : eras_) {
      if (era.ended() && read.sent > *era.ended()) continue;
      Found here;
      claims_.check(era.newest_before(read.denied, read.sent) < read.version, here,
                    OffenceKind::kFalselyDenied, [&] {
                      return fmt::format(
                          "{}: {} is said to have no version {}, which was visible "
                          "before it was asked for",
                          text_of(read), text(read.denied), read.version);
                    });
      if (first || here.size() < least.size()) least = std::move(here);
      first = false;
      if (least.empty()) break;
    }
    claims_.tell(std::move(least));
  }

  void check_ages(const ReadOp& read, const Statement& said, const Moment& moment,
                  const EraTruth& era, Found& found) {
    const microseconds worst = said.age + read.uncertainty;
    claims_.check(
        moment.earliest - said.true_through <= worst, found, OffenceKind::kAgeTooSmall, [&] {
          return fmt::format(
              "{}: {} is said to be {} ± {}, and it was {} old at least when it was asked for",
              text_of(read), text(said.key), text(said), text(read.uncertainty),
              text(moment.earliest - said.true_through));
        });
    const auto replaced = era.replaced_by(said.key, said.version);
    claims_.check(!replaced || *replaced >= moment.earliest - worst, found,
                  OffenceKind::kAgeTooSmall, [&] {
                    return fmt::format(
                        "{}: {} is said to be {} ± {}; version {} had replaced it by {}, {} before "
                        "it was asked "
                        "for",
                        text_of(read), text(said.key), text(said), text(read.uncertainty),
                        said.version + 1, text(*replaced), text(moment.earliest - *replaced));
                  });
    if (read.asked == Asked::kBounded && !read.bound_missed) {
      claims_.check(worst <= read.bound, found, OffenceKind::kBoundExceeded, [&] {
        return fmt::format("{}: {} is said to be {} ± {}, and no more than {} were asked for",
                           text_of(read), text(said.key), text(said), text(read.uncertainty),
                           text(read.bound));
      });
    }
  }

  void check_consistent(const ReadOp& read, const Statement& said, const Moment& moment,
                        const EraTruth& era, Found& found) {
    const Version newest = era.newest_before(said.key, read.sent);
    claims_.check(said.version >= newest, found, OffenceKind::kNotConsistent, [&] {
      return fmt::format("{}: {} is said to be {}; version {} was visible before it was asked for",
                         text_of(read), text(said.key), text(said), newest);
    });
    claims_.check(said.true_through >= moment.earliest, found, OffenceKind::kNotConsistent, [&] {
      return fmt::format("{}: {} is said to be {}; it was asked for after {}", text_of(read),
                         text(said.key), text(said), text(moment.earliest));
    });
  }

  void check_token(const ReadOp& read, const Statement& said, const EraTruth& era, Found& found) {
    const auto request = requests_.find(read.token_of);
    const auto applied = era.ledger().requests.find(read.token_of);
    claims_.check(applied != era.ledger().requests.end() && request != requests_.end(), found,
                  OffenceKind::kTokenMissed, [&] {
                    return fmt::format(
                        "{}: {} is said to be {}, and the ledger does not hold request {}",
                        text_of(read), text(said.key), text(said), read.token_of);
                  });
    if (applied == era.ledger().requests.end() || request == requests_.end()) return;
    if (const auto written = applied->second.find(said.key); written != applied->second.end()) {
      claims_.check(said.version >= written->second, found, OffenceKind::kTokenMissed, [&] {
        return fmt::format("{}: {} is said to be {}; request {} had written version {}",
                           text_of(read), text(said.key), text(said), read.token_of,
                           written->second);
      });
    }
    // What was visible before the write began was visible to it.
    const LocalTime began = request->second.first_sent;
    const Version newest = era.newest_before(said.key, began);
    const bool had_seen = seen_[read.client].before(said.key, began) > said.version;
    claims_.check(said.version >= newest, found,
                  had_seen ? OffenceKind::kWentBack : OffenceKind::kTokenMissed, [&] {
                    return fmt::format(
                        "{}: {} is said to be {}; version {} was visible before request {} began{}",
                        text_of(read), text(said.key), text(said), newest, read.token_of,
                        had_seen ? ", and its client had seen more" : "");
                  });
  }

  // ---- Sums

  // What a key can have been in an answer that says that its parts are no older than `age`: in any
  // era that was not over by then.
  CandidatesOf candidates_of(const ReadOp& read, const Moment& moment, microseconds age) const {
    const bool past = read.asked == Asked::kReadTime;
    const DatabaseTime from = past ? read.read_time : moment.earliest - age - read.uncertainty;
    const DatabaseTime to = past ? read.read_time : moment.latest;
    return [this, &read, from, to](const Key& key) {
      std::vector<EraTruth::Candidate> all;
      for (const EraTruth& era : eras_) {
        if (era.ended() && clock_.latest(*era.ended()) < from) continue;
        std::ranges::move(era.candidates(key, from, to, least_version(read, key, era)),
                          std::back_inserter(all));
      }
      return all;
    };
  }

  // What the request asked to be shown.
  Version least_version(const ReadOp& read, const Key& key, const EraTruth& era) const {
    if (read.bound_missed) return 0;
    if (read.asked == Asked::kFullyConsistent) return era.newest_before(key, read.sent);
    if (read.asked != Asked::kAtLeast) return 0;
    const auto request = requests_.find(read.token_of);
    const auto applied = era.ledger().requests.find(read.token_of);
    if (request == requests_.end() || applied == era.ledger().requests.end()) return 0;
    const auto written = applied->second.find(key);
    return std::max(era.newest_before(key, request->second.first_sent),
                    written == applied->second.end() ? 0 : written->second);
  }

  void check_total(const ReadOp& read, const Total& total, const Moment& moment) {
    Found found;
    claims_.check(can_be(total, candidates_of(read, moment, total.age)), found,
                  OffenceKind::kWrongTotal, [&] {
                    return fmt::format(
                        "{}: {} is said to be {} in all, {} available, at {} of {} locations, {} "
                        "old{}; no levels of then sum up to that",
                        text_of(read), total.sku, text(total.counts), total.available, total.found,
                        total.locations.size(), text(total.age), total.mixed ? ", mixed" : "");
                  });
    claims_.tell(std::move(found));
  }

  // Lines of different SKUs have nothing to do with each other.
  void check_cart(const ReadOp& read, const Moment& moment) {
    Found found;
    std::map<std::string, std::vector<CartLine>> by_sku;
    bool enough = true;
    for (const CartLine& line : read.cart) {
      by_sku[line.sku].push_back(line);
      enough = enough && line.shortfall == 0;
    }
    const CandidatesOf candidates = candidates_of(read, moment, read.age);
    for (const auto& [sku, lines] : by_sku) {
      claims_.check(can_be(lines, candidates), found, OffenceKind::kWrongAvailability, [&] {
        std::string said;
        for (const CartLine& line : lines) {
          said += fmt::format(" {} of {}: found {}, available {}, short of {};", line.quantity,
                              fmt::join(line.locations, " or "), line.found, line.available,
                              line.shortfall);
        }
        return fmt::format("{}: {} is said to give{} {} old; no levels of then do", text_of(read),
                           sku, said, text(read.age));
      });
    }
    claims_.check(read.cart_available == enough, found, OffenceKind::kWrongAvailability, [&] {
      return fmt::format("{}: says that the cart is {}, and the lines say otherwise", text_of(read),
                         read.cart_available ? "available" : "not available");
    });
    claims_.tell(std::move(found));
  }

  const History& history_;
  const ClockBounds clock_;
  std::deque<EraTruth> eras_;
  std::map<std::string, Request> requests_;
  std::map<int, Seen> seen_;
  Claims claims_;
};

}  // namespace

std::string Verdict::text() const {
  std::string text = fmt::format("{} answers, {} levels, {} claims, {} false", answers, levels,
                                 claims, offences_total);
  for (const Offence& offence : offences) {
    text += fmt::format("\n[{}] {}", name(offence.kind), offence.text);
  }
  return text;
}

Verdict check_history(const History& history, const std::vector<Era>& eras) {
  return Checker(history, eras).run();
}

}  // namespace stock::support

// WatchStockLevels: current levels, then every change.
//
// Nothing is lost between the two, because the stream subscribes first (feed/hub.h):
//
//   subscribe ──> wait until ready ──> read levels ──> send them ──> send changes
//
//   - a move before the subscription's beginning is shown by what is read: by readings that are
//     true through the position's stamp, which ready() makes later than the beginning; what is not
//     that fresh is read again from the primary, after subscribing;
//   - a move after the beginning is given by the hub. If what was read shows it too, it is left
//     out: of keys by the version that was sent, of a location (and after a resume) by its
//     transaction, which the snapshot of the statement shows or does not.
//
// After a resume the primary is asked what moved since the token's snapshot instead.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "stock/feed/delta.h"
#include "stock/rpc/answer.h"
#include "stock/rpc/convert.h"
#include "stock/rpc/following.h"
#include "stock/rpc/stock_handlers.h"

namespace stock::rpc {
namespace {

constexpr int kMaxKeys = 1000;
constexpr int kPage = 1000;  // levels of a location that are read at a time

using Response = v1::WatchStockLevelsResponse;
using Source = StreamSource<Response>;
using Waker = std::shared_ptr<StreamLoop::Waker>;
using Listing = layers::Listing<layers::LevelPage>;

// What is watched, and from where on.
struct Watched {
  std::vector<domain::Key> keys;
  std::string location;
  std::uint64_t digest = 0;
  std::optional<ResumeToken> resume;
};

std::optional<Failure> parse(const Rooms& rooms, const v1::WatchStockLevelsRequest& request,
                             Watched& out) {
  if (request.keys().empty() == request.location().empty()) {
    return bad_field("keys", "name 1 to 1,000 keys, or a location, and not both");
  }
  if (request.keys_size() > kMaxKeys) return bad_field("keys", "must name 1 to 1,000 keys");
  absl::flat_hash_set<domain::Key> seen;
  for (int i = 0; i < request.keys_size(); ++i) {
    const std::string field = fmt::format("keys[{}]", i);
    domain::Key key;
    if (auto wrong = from_proto(request.keys(i), field, key)) return wrong;
    if (!seen.insert(key).second) return bad_field(field, "is named twice");
    out.keys.push_back(std::move(key));
  }
  out.location = request.location();
  if (!out.location.empty()) {
    if (const auto status = domain::validate_name("location", out.location); !status.ok()) {
      return bad_field("location", std::string(status.message()));
    }
  }
  std::vector<domain::Key> sorted = out.keys;
  std::ranges::sort(sorted);
  std::string text = fmt::format("watch {}", out.location);
  for (const domain::Key& key : sorted) {
    text += fmt::format("\n{} {} {}", key.sku.size(), key.sku, key.location);
  }
  out.digest = digest(text);
  if (!request.resume_token().empty()) {
    if (auto wrong =
            read_token_of(rooms, request.resume_token(), out.digest, out.resume.emplace())) {
      return wrong;
    }
  }
  return std::nullopt;
}

// What was found: the levels of the keys, with their numbers.
struct Found {
  std::vector<std::size_t> numbers;
  std::vector<domain::Reading> readings;
};

// One read through the layers. Deletes itself.
class KeysRead final : public layers::Read {
 public:
  KeysRead(std::vector<std::size_t> numbers, std::shared_ptr<Awaited<Found>> answer)
      : numbers_(std::move(numbers)), answer_(std::move(answer)) {}

  void finished() override {
    const std::unique_ptr<KeysRead> self(this);
    if (!status.ok()) return answer_->answer(status);
    answer_->answer(Found{std::move(numbers_), {readings.begin(), readings.end()}});
  }

 private:
  std::vector<std::size_t> numbers_;
  const std::shared_ptr<Awaited<Found>> answer_;
};

class Watch final : public Source {
 public:
  Watch(const Rooms& rooms, Watched watched, Waker waker)
      : rooms_(rooms),
        watched_(std::move(watched)),
        waker_(std::move(waker)),
        pulse_(rooms.clock),
        sent_(watched_.keys.size(), 0) {
    if (watched_.resume) {
      token_ = watched_.resume->since;
      incarnation_ = watched_.resume->incarnation;
    }
    subscribe();
  }

  Next next(Response& response, bool tick) override {
    if (!failure_.ok()) return Next::kEnd;
    if (tick) rooms_.attention.note();  // somebody waits for what moves
    if (draining_) return last(response);
    const Next said = say(response, tick);
    if (said == Next::kMessage) pulse_.sent();
    return failure_.ok() ? said : Next::kEnd;
  }

  grpc::Status end(grpc::ServerContext& context) override {
    if (!failure_.ok()) return failure_;
    if (const std::string token = resume_token(); !token.empty()) {
      context.AddTrailingMetadata(kResumeMetadata, token);
    }
    return shutting_down();
  }

  void drain() override { draining_ = true; }

 private:
  enum class Phase { kOpening, kAsking, kListing, kCatchingUp, kSending, kLive };

  // The levels of a location as one statement read them: it shows what the snapshot shows, of the
  // SKUs up to this one.
  struct Fence {
    std::string up_to;
    bool is_last = false;
    std::shared_ptr<const domain::Snapshot> shows;
  };

  void subscribe() {
    subscription_ = rooms_.hub->subscribe({.keys = watched_.keys, .location = watched_.location},
                                          [waker = waker_] { waker->wake(); });
    rooms_.attention.note();
    phase_ = Phase::kOpening;
    opening_since_ = rooms_.clock.now();
    fences_.clear();
  }

  // What was given is void.
  void begin_anew() {
    found_.reset();
    page_.reset();
    delta_.reset();
    levels_ = {};
    meanwhile_ = {};
    reset_ = true;
    token_.reset();
    caught_up_.reset();
    std::ranges::fill(sent_, 0);
    subscribe();
  }

  Next say(Response& response, bool tick) {
    while (true) {
      const feed::Hub::Taken taken =
          rooms_.hub->take(*subscription_, phase_ == Phase::kLive ? kMaxChanges : 0);
      if (taken.lost) {
        begin_anew();
        continue;
      }
      const Phase before = phase_;
      switch (phase_) {
        case Phase::kOpening:
          open(taken);
          break;
        case Phase::kAsking:
          receive_readings(tick);
          break;
        case Phase::kListing:
          if (list(response, tick)) return Next::kMessage;
          break;
        case Phase::kCatchingUp:
          receive_delta(tick);
          break;
        case Phase::kSending:
          if (send_levels(response)) return Next::kMessage;
          break;
        case Phase::kLive:
          return live(response, taken);
      }
      if (!failure_.ok() || phase_ == before) return Next::kNothing;
    }
  }

  // ---- What was found

  void open(const feed::Hub::Taken& taken) {
    if (!taken.ready) {
      if (!was_live_ && rooms_.clock.now() - opening_since_ >= kPatience) {
        failure_ = feed_stands_still(taken.stall);
      }
      return rooms_.hub->wake_at_next_watermark(*subscription_);
    }
    const domain::Incarnation now = taken.position.watermark.incarnation;
    // Before anything of it was sent.
    if (token_ && incarnation_ != now) {
      reset_ = true;
      token_.reset();
    }
    incarnation_ = now;
    ready_through_ = taken.position.watermark.stamp;
    if (token_) {
      catch_up();
    } else if (!watched_.location.empty()) {
      initial_ = true;
      position_ = {.sku = "", .location = watched_.location};
      ask_page();
    } else {
      initial_ = true;
      std::vector<std::size_t> all(watched_.keys.size());
      for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
      ask_levels(std::move(all), false);
    }
  }

  void ask_levels(std::vector<std::size_t> numbers, bool consistent) {
    phase_ = Phase::kAsking;
    consistent_ = consistent;
    found_ = std::make_shared<Awaited<Found>>(waker_);
    auto read = std::make_unique<KeysRead>(numbers, found_);
    for (const std::size_t i : numbers) read->keys.push_back(watched_.keys[i]);
    read->requirement = {.max_age = rooms_.max_staleness,
                         .fully_consistent = consistent,
                         .at_least = {},
                         .allow_stale = true};
    read->context.deadline = rooms_.clock.now() + kPatience;
    asked_ = std::move(numbers);
    rooms_.reads.start(*read.release());
  }

  void receive_readings(bool tick) {
    if (!found_) {  // it failed; again now and then
      if (tick) ask_levels(asked_, consistent_);
      return;
    }
    auto* answer = found_->get();
    if (answer == nullptr) return;
    const auto kept = std::move(found_);  // which holds the answer
    if (!answer->ok()) return fail(answer->status());
    std::vector<std::size_t> again;
    for (std::size_t i = 0; i < (*answer)->numbers.size(); ++i) {
      const domain::Reading& reading = (*answer)->readings[i];
      const std::size_t number = (*answer)->numbers[i];
      const bool fresh = consistent_ || reading.true_through >= ready_through_;
      if (fresh && reading.incarnation == incarnation_) {
        levels_.push_back({watched_.keys[number], reading, number});
      } else {
        again.push_back(number);
      }
    }
    if (again.empty()) {
      phase_ = Phase::kSending;
    } else if (consistent_) {
      // Another incarnation, which the hub will hear of soon: then all begins anew.
      asked_ = std::move(again);
    } else {
      ask_levels(std::move(again), true);
    }
  }

  void ask_page() {
    phase_ = Phase::kListing;
    page_ = std::make_shared<Awaited<Listing>>(waker_);
    rooms_.catalogue.levels(
        {.location = watched_.location, .sku_prefix = "", .after = position_, .limit = kPage},
        {.fully_consistent = true}, {.deadline = rooms_.clock.now() + kPatience},
        [page = page_](Listing listing) { page->answer(std::move(listing)); });
  }

  // True: the response holds a page, or what changed meanwhile.
  bool list(Response& response, bool tick) {
    if (!meanwhile_.empty()) {
      const std::size_t n = std::min(kMaxChanges, meanwhile_.size());
      for (std::size_t i = 0; i < n; ++i) {
        add(response, *meanwhile_[i].change, meanwhile_[i].left_out);
      }
      meanwhile_.erase(meanwhile_.begin(), meanwhile_.begin() + static_cast<std::ptrdiff_t>(n));
      response.set_initial(true);
      live_if_listed();
      return true;
    }
    if (!page_) {
      if (tick) ask_page();
      return false;
    }
    auto* answer = page_->get();
    if (answer == nullptr) return false;
    const std::shared_ptr<Awaited<Listing>> kept = std::move(page_);
    const Listing& listing = **answer;
    if (!listing.page.ok()) {
      fail(listing.page.status());
      return false;
    }
    const layers::LevelPage& page = *listing.page;
    if (page.incarnation != incarnation_) return false;  // the hub will hear of it
    const feed::Hub::Taken taken =
        rooms_.hub->take(*subscription_, std::numeric_limits<std::size_t>::max());
    if (taken.lost) {
      begin_anew();
      return false;
    }
    for (std::size_t i = 0; i < page.keys.size(); ++i) {
      domain::Reading reading = page.readings[i];
      reading.layer = listing.layer;
      add(response, page.keys[i], reading, 0);
    }
    const bool last = !page.more || page.keys.empty();
    fences_.push_back(
        {.up_to = last ? "" : page.keys.back().sku, .is_last = last, .shows = page.shows});
    fenced_at_ = rooms_.clock.now();
    // What changed meanwhile is told behind the page, so that it does not pile up however long the
    // list is; of SKUs behind this page the next ones, which are not asked for yet, will tell.
    for (const feed::Hub::Pending& pending : taken.changes) {
      const feed::Move& move = pending.change->move;
      if (covers(fences_.back(), move) && !is_fenced(move)) meanwhile_.push_back(pending);
    }
    response.set_initial(true);
    response.set_reset(std::exchange(reset_, false));
    if (!last) {
      position_ = page.keys.back();
      ask_page();
    }
    live_if_listed();
    return true;
  }

  void live_if_listed() {
    if (!fences_.back().is_last || !meanwhile_.empty()) return;
    phase_ = Phase::kLive;
    tell_ = true;
  }

  // Puts what was found into the response, as much as it takes.
  bool send_levels(Response& response) {
    const std::size_t n = std::min(kMaxChanges, levels_.size());
    for (std::size_t i = 0; i < n; ++i) {
      const Level& level = levels_[i];
      add(response, level.key, level.reading, 0);
      if (!sent_.empty()) sent_[level.number] = level.reading.version;
    }
    levels_.erase(levels_.begin(), levels_.begin() + static_cast<std::ptrdiff_t>(n));
    if (levels_.empty()) {
      phase_ = Phase::kLive;
      tell_ = true;
    }
    if (n == 0) return false;
    response.set_initial(initial_);
    response.set_reset(std::exchange(reset_, false));
    return true;
  }

  // ---- What was missed

  void catch_up() {
    phase_ = Phase::kCatchingUp;
    delta_ = std::make_shared<Awaited<feed::LevelDelta>>(waker_);
    rooms_.deltas.levels({.keys = watched_.keys, .location = watched_.location, .since = *token_},
                         rooms_.clock.now() + kPatience,
                         [delta = delta_](absl::StatusOr<feed::LevelDelta> found) {
                           delta->answer(std::move(found));
                         });
  }

  void receive_delta(bool tick) {
    if (!delta_) {
      if (tick) catch_up();
      return;
    }
    auto* answer = delta_->get();
    if (answer == nullptr) return;
    const auto kept = std::move(delta_);
    if (!answer->ok()) {
      // It is too much to be found out within the patience that there is.
      if (absl::IsDeadlineExceeded(answer->status())) return begin_anew();
      return fail(answer->status());
    }
    feed::LevelDelta& delta = **answer;
    if (delta.more || delta.incarnation != incarnation_) return begin_anew();
    initial_ = false;
    for (std::size_t i = 0; i < delta.keys.size(); ++i) {
      delta.readings[i].layer = "primary";
      levels_.push_back({std::move(delta.keys[i]), delta.readings[i],
                         delta.numbers.empty() ? 0 : delta.numbers[i]});
    }
    fences_ = {{.up_to = "", .is_last = true, .shows = delta.shows}};
    fenced_at_ = rooms_.clock.now();
    caught_up_ = delta.shows;
    caught_up_through_ = delta.stamp;
    phase_ = Phase::kSending;
  }

  // ---- What changes

  Next live(Response& response, const feed::Hub::Taken& taken) {
    was_live_ = true;
    for (const feed::Hub::Pending& pending : taken.changes) {
      const feed::Move& move = pending.change->move;
      if (is_fenced(move)) continue;
      std::int64_t left_out = pending.left_out;
      if (!sent_.empty()) {
        domain::Version& sent = sent_[pending.key];
        if (move.version <= sent) continue;
        left_out = std::min(left_out, move.version - sent - 1);
        sent = move.version;
      }
      add(response, *pending.change, left_out);
    }
    if (taken.drained && taken.position.snapshot) {
      const feed::Hub::Position& position = taken.position;
      if (position.watermark.confirmed_at > fenced_at_) fences_.clear();
      // What was caught up with may have been ahead of this server's feed.
      if (caught_up_ && feed::is_later(*position.snapshot, *caught_up_)) caught_up_.reset();
      token_ = caught_up_ ? *caught_up_ : *position.snapshot;
      watermark_ = caught_up_ ? std::max(caught_up_through_, position.watermark.stamp)
                              : position.watermark.stamp;
    }
    if (response.changes().empty() && !tell_ && !pulse_.due()) return Next::kNothing;
    tell_ = false;
    if (token_ && taken.drained) to_proto(watermark_, *response.mutable_watermark());
    response.set_reset(std::exchange(reset_, false));
    response.set_resume_token(resume_token());
    return Next::kMessage;
  }

  [[nodiscard]] static bool covers(const Fence& fence, const feed::Move& move) {
    return fence.is_last || move.key.sku <= fence.up_to;
  }
  // Whether what was read showed it.
  [[nodiscard]] bool is_fenced(const feed::Move& move) const {
    const auto its =
        std::ranges::find_if(fences_, [&](const Fence& fence) { return covers(fence, move); });
    return its != fences_.end() && its->shows && its->shows->shows(move.xid);
  }

  Next last(Response& response) {
    if (std::exchange(said_last_, true) || phase_ != Phase::kLive) return Next::kEnd;
    feed::Hub::Taken taken = rooms_.hub->take(*subscription_, kMaxChanges);
    if (taken.lost) return Next::kEnd;
    tell_ = true;
    return live(response, taken);
  }

  // ---- What is said

  void add(Response& response, const feed::Change& change, std::int64_t left_out) {
    const feed::Move& move = change.move;
    domain::Reading reading{.exists = move.exists,
                            .version = move.version,
                            .counts = move.counts,
                            .earliest_expiry = move.earliest_expiry,
                            .as_of = move.as_of,
                            .true_through = change.true_through};
    reading.layer = "primary";
    add(response, move.key, reading, left_out);
  }
  void add(Response& response, const domain::Key& key, const domain::Reading& reading,
           std::int64_t left_out) {
    v1::LevelChange& change = *response.add_changes();
    const auto age = rooms_.reads.age(reading, rooms_.clock.now());
    to_proto(key, reading, age.value_or(domain::Age{}).age, *change.mutable_level());
    if (!age) change.mutable_level()->mutable_provenance()->clear_age();
    change.set_versions_left_out(left_out);
  }

  std::string resume_token() const {
    if (!token_) return "";
    return make_resume_token({.ledger = rooms_.identity.ledger(),
                              .incarnation = incarnation_,
                              .request = watched_.digest,
                              .since = *token_,
                              .through = {},
                              .after = {},
                              .after_version = 0});
  }

  // At first a client is told; one that has been served already waits until it works again.
  void fail(const absl::Status& status) {
    if (!was_live_) failure_ = to_status(backend_failure(status));
  }

  struct Level {
    domain::Key key;
    domain::Reading reading;
    std::size_t number = 0;
  };

  const Rooms& rooms_;
  const Watched watched_;
  const Waker waker_;
  Pulse pulse_;
  feed::Hub::Subscription subscription_;
  Phase phase_ = Phase::kOpening;
  domain::LocalTime opening_since_;
  grpc::Status failure_;
  bool draining_ = false;
  bool said_last_ = false;
  bool was_live_ = false;
  bool reset_ = false;    // to be said
  bool initial_ = false;  // what is being sent are current levels
  bool tell_ = false;     // the watermark, at once

  // Through which everything has been sent.
  std::optional<domain::Snapshot> token_;
  domain::Incarnation incarnation_ = 0;
  domain::DatabaseTime watermark_;
  std::shared_ptr<const domain::Snapshot> caught_up_;
  domain::DatabaseTime caught_up_through_;

  // Reading.
  domain::DatabaseTime ready_through_;
  bool consistent_ = false;
  std::vector<std::size_t> asked_;
  std::shared_ptr<Awaited<Found>> found_;
  std::shared_ptr<Awaited<Listing>> page_;
  std::shared_ptr<Awaited<feed::LevelDelta>> delta_;
  domain::Key position_;
  std::vector<Level> levels_;
  std::vector<feed::Hub::Pending> meanwhile_;  // changes of what has been listed, to be told

  // What not to send again.
  std::vector<domain::Version> sent_;  // of each key; of a location the fences tell
  std::vector<Fence> fences_;
  domain::LocalTime fenced_at_;
};

}  // namespace

void StockHandlers::attach_watches(Server& server) {
  server.add_stream<v1::WatchStockLevelsRequest, Response>(
      kStockService, "WatchStockLevels",
      [this](auto... arguments) { service_.RequestWatchStockLevels(arguments...); },
      [this](const v1::WatchStockLevelsRequest& request, Waker waker,
             grpc::Status& status) -> std::unique_ptr<Source> {
        Watched watched;
        auto wrong = feed_is_off(rooms_);
        if (!wrong) wrong = parse(rooms_, request, watched);
        if (wrong) {
          status = to_status(*wrong);
          return nullptr;
        }
        return std::make_unique<Watch>(rooms_, std::move(watched), std::move(waker));
      });
}

}  // namespace stock::rpc

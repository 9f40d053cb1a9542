// StreamStockMovements: the ledger, movement after movement, as slowly as it is read.
//
// A position is a snapshot, all of whose movements have been sent, and a place within the delta
// from it to a later one, which is read by pages in order of (sku, location, version). Of one key
// versions ascend within a delta, and from each delta to the next, since a version is visible only
// together with those before it. The later snapshot is the feed's, so that an idle stream costs the
// database nothing.
//
// When the ledger is in another incarnation, the ids of the older one's last transactions may have
// been given out again. The position goes back to what both histories have in common for certain:
// nothing that is in the ledger now is left out, but some may come twice.
#include <fmt/format.h>

#include <memory>
#include <utility>

#include "stock/feed/delta.h"
#include "stock/rpc/convert.h"
#include "stock/rpc/following.h"
#include "stock/rpc/stock_handlers.h"

namespace stock::rpc {
namespace {

using Request = v1::StreamStockMovementsRequest;
using Response = v1::StreamStockMovementsResponse;
using Source = StreamSource<Response>;
using Waker = std::shared_ptr<StreamLoop::Waker>;

std::uint64_t digest_of(const Request& request) {
  return digest(fmt::format("movements {}", request.location()));
}

class Movements final : public Source {
 public:
  // `start`: where to go on; one of incarnation 0 is none.
  Movements(const Rooms& rooms, const Request& request, ResumeToken start, Waker waker)
      : rooms_(rooms),
        location_(request.location()),
        waker_(std::move(waker)),
        pulse_(rooms.clock) {
    place_ = std::move(start);
    place_.request = digest_of(request);
    from_now_ = request.start_case() == Request::START_NOT_SET;
    if (place_.incarnation == 0) place_.since = feed::beginning_of_time();
    subscribe();
    // Nothing that is written after the call is left out: so not from when the feed is ready.
    const feed::Hub::Position here = rooms_.hub->take(*subscription_, 0).position;
    if (from_now_ && here.snapshot) {
      from_now_ = false;
      place_.since = *here.snapshot;
      place_.incarnation = here.watermark.incarnation;
      watermark_ = here.watermark.stamp;
    }
  }

  Next next(Response& response, bool tick) override {
    if (tick) rooms_.attention.note();  // somebody waits for what moves
    if (draining_) return last(response);
    const Next said = say(response, tick);
    if (!failure_.ok()) return Next::kEnd;
    if (said == Next::kMessage) {
      response.set_reset(std::exchange(reset_, false));
      if (opened_) response.set_resume_token(resume_token());
      pulse_.sent();
    }
    return said;
  }

  grpc::Status end(grpc::ServerContext& context) override {
    if (!failure_.ok()) return failure_;
    if (opened_) context.AddTrailingMetadata(kResumeMetadata, resume_token());
    return shutting_down();
  }

  void drain() override { draining_ = true; }

 private:
  enum class Phase {
    kOpening,    // waits for the feed
    kGoingBack,  // waits for what two incarnations have in common
    kFollowing,  // waits for something to move
    kAsking,     // waits for a page
  };

  void subscribe() {
    subscription_ = rooms_.hub->subscribe(
        {.keys = {}, .location = location_, .everything = location_.empty(), .signal_only = true},
        [waker = waker_] { waker->wake(); });
    rooms_.attention.note();
    phase_ = Phase::kOpening;
    opening_since_ = rooms_.clock.now();
    look_ = true;
    past_.reset();
    page_.reset();
  }

  Next say(Response& response, bool tick) {
    while (true) {
      const feed::Hub::Taken taken = rooms_.hub->take(*subscription_, 0);
      if (taken.lost) {
        subscribe();
        continue;
      }
      if (taken.signalled) look_ = true;
      const Phase before = phase_;
      switch (phase_) {
        case Phase::kOpening:
          open(taken);
          break;
        case Phase::kGoingBack:
          go_back(tick);
          break;
        case Phase::kFollowing:
          if (follow(response, taken)) return Next::kMessage;
          break;
        case Phase::kAsking:
          if (receive(response, tick)) return Next::kMessage;
          break;
      }
      if (!failure_.ok() || phase_ == before) return Next::kNothing;
    }
  }

  void open(const feed::Hub::Taken& taken) {
    if (!taken.ready) {
      if (!opened_ && rooms_.clock.now() - opening_since_ >= kPatience) {
        failure_ = feed_stands_still(taken.stall);
      }
      return rooms_.hub->wake_at_next_watermark(*subscription_);
    }
    now_ = taken.position.watermark.incarnation;
    if (std::exchange(from_now_, false)) {
      place_.since = *taken.position.snapshot;
      place_.incarnation = now_;
      watermark_ = taken.position.watermark.stamp;
    }
    if (place_.incarnation == 0) place_.incarnation = now_;
    if (place_.incarnation == now_) return follow_on();
    phase_ = Phase::kGoingBack;
    ask_common_past();
  }

  void follow_on() {
    opened_ = tell_ = true;
    phase_ = Phase::kFollowing;
  }

  void ask_common_past() {
    past_ = std::make_shared<Awaited<domain::Xid>>(waker_);
    rooms_.deltas.common_past(
        place_.incarnation, rooms_.clock.now() + kPatience,
        [past = past_](absl::StatusOr<domain::Xid> xid) { past->answer(std::move(xid)); });
  }

  void go_back(bool tick) {
    if (!past_) {
      if (tick) ask_common_past();
      return;
    }
    const auto* answer = past_->get();
    if (answer == nullptr) return;
    const auto kept = std::move(past_);
    if (!answer->ok()) {
      if (!opened_) failure_ = to_status(backend_failure(answer->status()));
      return;
    }
    place_.since = feed::clamp(place_.since, **answer);
    place_.through.reset();
    place_.after = {};
    place_.after_version = 0;
    place_.incarnation = now_;
    reset_ = true;
    watermark_ = {};  // of another time, if the clock was set back
    walk_.reset();
    follow_on();
  }

  // Goes on to the next delta or page, or says that nothing moves: then true.
  bool follow(Response& response, const feed::Hub::Taken& taken) {
    const feed::Hub::Position& position = taken.position;
    if (!position.snapshot) return false;
    if (place_.through) {
      ask_page(false);
      return false;
    }
    const bool is_new = feed::is_later(*position.snapshot, place_.since);
    if (*position.snapshot == place_.since) look_ = false;
    if (look_ && is_new) {
      look_ = false;
      place_.through = *position.snapshot;
      target_ = position.watermark.stamp;
      walk_.reset();
      ask_page(true);
      return false;
    }
    if (look_) {
      // What was sent before, by another server, was ahead of this one's feed.
      rooms_.hub->wake_at_next_watermark(*subscription_);
    } else {
      if (is_new) place_.since = *position.snapshot;
      watermark_ = std::max(watermark_, position.watermark.stamp);
    }
    if (!tell_ && !pulse_.due()) return false;
    tell_ = false;
    if (!look_) to_proto(watermark_, *response.mutable_watermark());
    return true;
  }

  void ask_page(bool shorten) {
    phase_ = Phase::kAsking;
    page_ = std::make_shared<Awaited<feed::MovementDelta>>(waker_);
    rooms_.deltas.movements({.since = place_.since,
                             .through = *place_.through,
                             .shorten = shorten,
                             .walk = walk_,
                             .after = place_.after,
                             .after_version = place_.after_version,
                             .location = location_,
                             .limit = kMaxChanges},
                            rooms_.clock.now() + kPatience,
                            [page = page_](absl::StatusOr<feed::MovementDelta> delta) {
                              page->answer(std::move(delta));
                            });
  }

  // True: the response holds a page.
  bool receive(Response& response, bool tick) {
    if (!page_) {
      if (tick) ask_page(false);
      return false;
    }
    const auto* answer = page_->get();
    if (answer == nullptr) return false;
    const auto kept = std::move(page_);
    if (!answer->ok()) {
      if (!was_live_) failure_ = to_status(backend_failure(answer->status()));
      return false;
    }
    const feed::MovementDelta& delta = **answer;
    if (delta.incarnation != place_.incarnation) return false;  // the hub will hear of it
    // Of a stream from the beginning, that is what the ledger still holds.
    if (delta.pruned && place_.since != feed::beginning_of_time()) {
      failure_ = to_status(history_pruned(
          "movements behind this position have been pruned before they were read; begin anew, "
          "from_beginning or with what is to come"));
      return false;
    }
    was_live_ = true;
    if (delta.through != *place_.through) look_ = true;  // it was too much at once
    place_.through = delta.through;
    walk_ = delta.walk;
    for (const domain::Movement& movement : delta.movements) {
      to_proto(movement, *response.add_movements());
    }
    phase_ = Phase::kFollowing;
    if (delta.more) {
      place_.after = delta.after;
      place_.after_version = delta.after_version;
    } else {
      place_.since = *std::exchange(place_.through, std::nullopt);
      place_.after = {};
      place_.after_version = 0;
      walk_.reset();
      if (!look_) {
        watermark_ = std::max(watermark_, target_);
        to_proto(watermark_, *response.mutable_watermark());
      }
    }
    return !delta.movements.empty();
  }

  Next last(Response& response) {
    if (std::exchange(said_last_, true) || !opened_) return Next::kEnd;
    response.set_reset(std::exchange(reset_, false));
    response.set_resume_token(resume_token());
    return Next::kMessage;
  }

  std::string resume_token() const {
    ResumeToken token = place_;
    token.ledger = rooms_.identity.ledger();
    return make_resume_token(token);
  }

  const Rooms& rooms_;
  const std::string location_;
  const Waker waker_;
  Pulse pulse_;
  feed::Hub::Subscription subscription_;
  Phase phase_ = Phase::kOpening;
  domain::LocalTime opening_since_;
  grpc::Status failure_;
  bool from_now_ = false;
  bool opened_ = false;  // the place is one of the current incarnation, or was
  bool was_live_ = false;
  bool draining_ = false;
  bool said_last_ = false;
  bool reset_ = false;  // to be said
  bool tell_ = false;   // the watermark, at once
  // There may be something behind the place; false: nothing moved since, that the hub knows of.
  bool look_ = true;

  ResumeToken place_;
  domain::Incarnation now_ = 0;
  std::optional<bool> walk_;
  domain::DatabaseTime target_;  // of the delta's end
  domain::DatabaseTime watermark_;
  std::shared_ptr<Awaited<domain::Xid>> past_;
  std::shared_ptr<Awaited<feed::MovementDelta>> page_;
};

std::optional<Failure> parse(const Rooms& rooms, const Request& request, ResumeToken& out) {
  if (!request.location().empty()) {
    const auto status = domain::validate_name("location", request.location());
    if (!status.ok()) return bad_field("location", std::string(status.message()));
  }
  if (request.start_case() == Request::kFromBeginning && !request.from_beginning()) {
    return bad_field("from_beginning", "must be true, or not set");
  }
  if (request.start_case() != Request::kResumeToken) return std::nullopt;
  return read_token_of(rooms, request.resume_token(), digest_of(request), out);
}

}  // namespace

void StockHandlers::attach_streams(Server& server) {
  server.add_stream<Request, Response>(
      kStockService, "StreamStockMovements",
      [this](auto... arguments) { service_.RequestStreamStockMovements(arguments...); },
      [this](const Request& request, Waker waker, grpc::Status& status) -> std::unique_ptr<Source> {
        ResumeToken start;
        auto wrong = feed_is_off(rooms_);
        if (!wrong) wrong = parse(rooms_, request, start);
        if (wrong) {
          status = to_status(*wrong);
          return nullptr;
        }
        return std::make_unique<Movements>(rooms_, request, std::move(start), std::move(waker));
      });
}

}  // namespace stock::rpc

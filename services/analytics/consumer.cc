#include "analytics/consumer.h"

#include <utility>

#include "stock/v1/stock_service.pb.h"
#include "stockctl/rpc/follow.h"

namespace analytics {
namespace {

using stock::telemetry::log_info;
using stock::telemetry::log_warn;

constexpr std::int64_t kMaxBatch = 10'000;  // movements
constexpr std::chrono::milliseconds kRetry(200);
constexpr std::chrono::seconds kLogPeriod(10);
// The server says something about once a second.
constexpr std::chrono::seconds kSilence(10);
// A stream that has worked is taken up again for as long as it takes.
constexpr std::chrono::hours kPatience(24 * 365);

stock::v1::StreamStockMovementsRequest from(const Position& position) {
  stock::v1::StreamStockMovementsRequest request;
  if (position.token.empty()) {
    request.set_from_beginning(true);
  } else {
    request.set_resume_token(position.token);
  }
  return request;
}

}  // namespace

Consumer::Consumer(Options options, stock::postgres::Session& session, Counters& counters,
                   const stock::clock::LocalClock& clock)
    : options_(std::move(options)),
      session_(session),
      store_(session),
      counters_(counters),
      clock_(clock),
      database_log_(clock, kLogPeriod),
      stream_log_(clock, kLogPeriod) {}

Consumer::~Consumer() { stop(); }

void Consumer::start() {
  thread_ = std::thread([this] { run(); });
}

void Consumer::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  woken_.notify_all();
  session_.stop();
  if (thread_.joinable()) thread_.join();
}

void Consumer::run() {
  while (const auto position = learn_position()) {
    log_info("counting", {{"from", position->token.empty() ? "the beginning" : "the last position"},
                          {"revision", position->revision}});
    if (follow_from(*position) == Next::kGiveUp) return;
  }
}

std::optional<Position> Consumer::learn_position() {
  while (!stopping_) {
    absl::StatusOr<Position> position = store_.position();
    database_answered(position.status());
    if (position.ok()) {
      const std::lock_guard lock(mutex_);
      state_.watermark = position->watermark;
      return *std::move(position);
    }
    if (absl::IsFailedPrecondition(position.status())) {
      give_up(std::string(position.status().message()) +
              ": bring schema analytics of this database up to date (deploy/local/migrate PORT, or "
              "sql-migrate up with deploy/postgres/dbconfig.yml, environment analytics), and let "
              "role analytics use it");
      return std::nullopt;
    }
    wait(kRetry);
  }
  return std::nullopt;
}

Consumer::Next Consumer::follow_from(Position position) {
  Inbox inbox(kMaxBatch);
  std::thread reader([&] {
    const stockctl::FollowOptions options{
        .address = options_.stock_address,
        .user_agent = "analytics",
        .patience = kPatience,
        .stop = [this] { return stopping_.load(); },
        .lost = [this](const absl::Status& why) { stream_broke(why); }};
    inbox.close(stockctl::follow(options, from(position),
                                 [&](const stock::v1::StreamStockMovementsResponse& response) {
                                   heard_ = clock_.now();
                                   return inbox.put(response);
                                 }));
  });
  bool moved = false;
  while (const std::optional<Batch> batch = inbox.take()) {
    if (apply(position, *batch)) continue;
    moved = true;
    break;
  }
  inbox.abandon();
  reader.join();
  return stopping_ || moved ? Next::kReadAgain : judge(inbox.status());
}

// The stream has ended by itself.
Consumer::Next Consumer::judge(const absl::Status& ended) {
  stream_broke(ended);
  if (absl::IsOutOfRange(ended)) {
    counters_.history_pruned.add();
    log_warn(
        "the position is lost; counting from the beginning, each movement once. Of those that "
        "have been pruned the sales are missing",
        {{"error", std::string(ended.message())}});
    absl::Status status;
    do {
      status = store_.begin_anew();
      database_answered(status);
    } while (!status.ok() && wait(kRetry));
    return Next::kReadAgain;
  }
  if (absl::IsInvalidArgument(ended) || absl::IsFailedPrecondition(ended)) {
    give_up(std::string(ended.message()) +
            ": the movements of another ledger are not counted into these rollups. Use an empty "
            "schema, or TRUNCATE analytics.position, analytics.counted, analytics.sold");
    return Next::kGiveUp;
  }
  wait(kRetry);
  return Next::kReadAgain;
}

bool Consumer::apply(Position& position, const Batch& batch) {
  while (!stopping_) {
    const auto applied = store_.apply(position, batch);
    database_answered(applied.status());
    if (!applied.ok()) {
      counters_.transaction_failures.add();
      wait(kRetry);
      continue;
    }
    if (!*applied) {
      counters_.position_moved.add();
      log_warn("the position was moved by another hand; counting from where it is now");
      return false;
    }
    tell(position, batch, **applied);
    position = (*applied)->position;
    return true;
  }
  return false;
}

void Consumer::tell(const Position& before, const Batch& batch, const Applied& applied) {
  const Counting& counting = applied.counting;
  counters_.transactions.add();
  counters_.counted.add(counting.counted);
  counters_.duplicates.add(counting.duplicates);
  counters_.replaced.add(counting.replaced);
  counters_.others.add(batch.movements - static_cast<std::int64_t>(batch.sales.size()));
  if (batch.reset) {
    counters_.new_incarnation.add();
    log_warn(
        "the ledger is in another incarnation: some movements came again, and some that were "
        "counted may be lost there",
        {{"revision", before.revision},
         {"duplicates", counting.duplicates},
         {"replaced", counting.replaced}});
  }
  const std::lock_guard lock(mutex_);
  state_.watermark = applied.position.watermark;
}

void Consumer::database_answered(const absl::Status& status) {
  if (!status.ok() && !stopping_) {
    if (const auto suppressed = database_log_.admit()) {
      log_warn("the rollups cannot be written; trying on",
               {{"error", std::string(status.message())}, {"suppressed", *suppressed}});
    }
  }
  const std::lock_guard lock(mutex_);
  state_.counting = status.ok();
  state_.database_error = std::string(status.message());
}

void Consumer::stream_broke(const absl::Status& status) {
  heard_ = stock::domain::LocalTime::min();
  counters_.reconnects.add();
  if (const auto suppressed = stream_log_.admit()) {
    log_warn("the stream of movements broke off; trying on",
             {{"error", std::string(status.message())}, {"suppressed", *suppressed}});
  }
  const std::lock_guard lock(mutex_);
  state_.stream_error = std::string(status.message());
}

void Consumer::give_up(std::string why) {
  const std::lock_guard lock(mutex_);
  failure_ = std::move(why);
}

bool Consumer::wait(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return !woken_.wait_for(lock, time, [this] { return stopping_.load(); });
}

Consumer::State Consumer::state() const {
  const stock::domain::LocalTime heard = heard_;
  const std::lock_guard lock(mutex_);
  State state = state_;
  state.streaming = heard != stock::domain::LocalTime::min() && clock_.now() - heard < kSilence;
  if (state.streaming) state.stream_error.clear();
  return state;
}

std::optional<std::string> Consumer::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

}  // namespace analytics

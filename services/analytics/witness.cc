#include "analytics/witness.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "stock/clock/wall_clock.h"
#include "stock/v1/drift_service.grpc.pb.h"
#include "stockctl/rpc/channel.h"

namespace analytics {
namespace {

using std::chrono::microseconds;
using stock::telemetry::log_warn;
namespace v1 = stock::v1;

constexpr std::int64_t kMaxClaims = 1000;  // of one submission
constexpr int kMaxPages = 20;              // of one interval
constexpr std::chrono::seconds kPatience(5);
constexpr std::chrono::minutes kLogPeriod(1);
constexpr std::chrono::hours kHour(1);

// By this machine's clock.
microseconds wall_time() {
  return microseconds(std::llround(stock::clock::wall_seconds() * 1'000'000));
}

template <typename Message>
void set_time(microseconds time, Message& out) {
  out.set_seconds(time.count() / 1'000'000);
  out.set_nanos(static_cast<std::int32_t>(time.count() % 1'000'000 * 1000));
}

microseconds time_of(const google::protobuf::Timestamp& time) {
  return std::chrono::seconds(time.seconds()) +
         std::chrono::duration_cast<microseconds>(std::chrono::nanoseconds(time.nanos()));
}

bool contradicts(v1::Verdict verdict) {
  return verdict == v1::VERDICT_OVERCOUNTED || verdict == v1::VERDICT_UNDERCOUNTED;
}

std::size_t index_of(v1::Verdict verdict) {
  switch (verdict) {
    case v1::VERDICT_CURRENT:
      return 0;
    case v1::VERDICT_OVERCOUNTED:
      return 1;
    case v1::VERDICT_UNDERCOUNTED:
      return 2;
    case v1::VERDICT_INCONCLUSIVE:
      return 3;
    case v1::VERDICT_UNVERIFIABLE:
      return 4;
    default:
      return kVerdicts.size() - 1;
  }
}

}  // namespace

// The one call that is under way, so that stopping need not wait for it.
struct Witness::Server {
  explicit Server(const std::string& address)
      : stub(v1::DriftService::NewStub(stockctl::open_channel(address, "analytics"))) {}

  absl::Status submit(const v1::SubmitTestimoniesRequest& request,
                      v1::SubmitTestimoniesResponse& response) {
    grpc::ClientContext context;
    context.set_deadline(stockctl::deadline_in(kPatience));
    {
      const std::lock_guard lock(mutex);
      if (closed) return absl::CancelledError("stopping");
      under_way = &context;
    }
    const grpc::Status status = stub->SubmitTestimonies(&context, request, &response);
    {
      const std::lock_guard lock(mutex);
      under_way = nullptr;
    }
    return stockctl::status_of(status, context);
  }

  void close() {
    const std::lock_guard lock(mutex);
    closed = true;
    if (under_way != nullptr) under_way->TryCancel();
  }

  const std::unique_ptr<v1::DriftService::Stub> stub;
  std::mutex mutex;
  grpc::ClientContext* under_way = nullptr;
  bool closed = false;
};

Witness::Witness(Options options, stock::postgres::Session& session, Counters& counters,
                 const stock::clock::LocalClock& clock)
    : options_(std::move(options)),
      session_(session),
      store_(session),
      counters_(counters),
      failure_log_(clock, kLogPeriod),
      verdict_log_(clock, kLogPeriod),
      server_(std::make_unique<Server>(options_.stock_address)) {}

Witness::~Witness() { stop(); }

void Witness::start() {
  thread_ = std::thread([this] { run(); });
}

void Witness::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  woken_.notify_all();
  server_->close();
  session_.stop();
  if (thread_.joinable()) thread_.join();
}

microseconds Witness::age(DatabaseTime watermark) const {
  return std::max(microseconds(0), wall_time() - ahead_.load() - watermark.time_since_epoch());
}

void Witness::run() {
  std::unique_lock lock(mutex_);
  while (!woken_.wait_for(lock, options_.interval, [this] { return stopping_; })) {
    lock.unlock();
    for (int page = 0; page < kMaxPages && testify(); ++page) {
    }
    lock.lock();
  }
}

bool Witness::testify() {
  const absl::StatusOr<Untold> untold = store_.untold(knows_time_ ? kMaxClaims : 1);
  if (!untold.ok()) {
    failed("what is to be testified cannot be read", untold.status());
    return false;
  }
  // Until the stream has caught up once nobody knows how old the rollups are.
  if (untold->rollups.empty() || !untold->position.watermark) return false;
  v1::SubmitTestimoniesRequest request;
  const DatabaseTime through = *untold->position.watermark;
  for (const Rollup& rollup : untold->rollups) {
    v1::Testimony& claim = *request.add_testimonies();
    claim.set_witness(options_.name);
    claim.set_instance(options_.instance);
    claim.mutable_key()->set_sku(rollup.window.key.sku);
    claim.mutable_key()->set_location(rollup.window.key.location);
    const microseconds from = rollup.window.hour.time_since_epoch();
    set_time(from, *claim.mutable_sold()->mutable_from());
    set_time(from + kHour, *claim.mutable_sold()->mutable_until());
    claim.mutable_sold()->set_units(rollup.units);
    if (knows_time_) {
      set_time(age(through), *claim.mutable_age());
    } else {
      set_time(through.time_since_epoch(), *claim.mutable_true_through());
    }
  }
  const microseconds sent_at = wall_time();
  if (knows_time_) set_time(sent_at, *request.mutable_sent_at());
  v1::SubmitTestimoniesResponse response;
  absl::Status status = server_->submit(request, response);
  if (status.ok() && response.judged_size() != request.testimonies_size()) {
    status = absl::InternalError("not every claim was judged");
  }
  if (!status.ok()) {
    failed("testimonies were not judged", status);
    return false;
  }
  ahead_ = sent_at - time_of(response.judged(0).finding().statement().asked_before());
  if (!std::exchange(knows_time_, true)) return true;
  std::vector<bool> contradicted;
  for (const v1::JudgedTestimony& judged : response.judged()) {
    const v1::Finding& finding = judged.finding();
    counters_.testimonies[index_of(finding.verdict())]->add();
    contradicted.push_back(contradicts(finding.verdict()));
    if (!contradicted.back()) continue;
    if (const auto suppressed = verdict_log_.admit()) {
      log_warn("the ledger has another number of units sold",
               {{"sku", finding.statement().testimony().key().sku()},
                {"location", finding.statement().testimony().key().location()},
                {"verdict", finding.words()},
                {"suppressed", *suppressed}});
    }
  }
  status = store_.told(untold->rollups, contradicted);
  if (!status.ok()) failed("what was testified cannot be noted", status);
  return status.ok() && static_cast<std::int64_t>(untold->rollups.size()) == kMaxClaims;
}

void Witness::failed(const char* what, const absl::Status& status) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
  }
  counters_.testimony_failures.add();
  if (const auto suppressed = failure_log_.admit()) {
    log_warn(what, {{"error", std::string(status.message())}, {"suppressed", *suppressed}});
  }
}

}  // namespace analytics

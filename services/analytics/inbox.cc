#include "analytics/inbox.h"

#include <utility>

#include "stock/v1/stock_service.pb.h"

namespace analytics {
namespace {

DatabaseTime time_of(const google::protobuf::Timestamp& time) {
  return DatabaseTime(std::chrono::seconds(time.seconds()) +
                      std::chrono::duration_cast<std::chrono::microseconds>(
                          std::chrono::nanoseconds(time.nanos())));
}

}  // namespace

void Batch::add(const stock::v1::StreamStockMovementsResponse& response) {
  if (response.reset()) {
    reset = true;
    watermark.reset();  // of another time
  }
  movements += response.movements_size();
  for (const stock::v1::Movement& movement : response.movements()) {
    if (movement.kind() != stock::v1::MOVEMENT_KIND_COMMIT) continue;
    sales.push_back({.identity = {.key = {movement.key().sku(), movement.key().location()},
                                  .version = movement.version()},
                     .committed_at = time_of(movement.committed_at()),
                     .units = movement.delta().committed()});
  }
  if (response.has_watermark()) watermark = time_of(response.watermark());
  if (!response.resume_token().empty()) token = response.resume_token();
}

bool Inbox::put(const stock::v1::StreamStockMovementsResponse& response) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] {
    return abandoned_ || batch_.movements + response.movements_size() <= max_movements_;
  });
  if (abandoned_) return false;
  batch_.add(response);
  any_ = true;
  changed_.notify_all();
  return true;
}

void Inbox::close(absl::Status status) {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  status_ = std::move(status);
  changed_.notify_all();
}

std::optional<Batch> Inbox::take() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return any_ || closed_; });
  if (!std::exchange(any_, false)) return std::nullopt;
  changed_.notify_all();
  return std::exchange(batch_, Batch());
}

void Inbox::abandon() {
  const std::lock_guard lock(mutex_);
  abandoned_ = true;
  changed_.notify_all();
}

absl::Status Inbox::status() {
  const std::lock_guard lock(mutex_);
  return status_;
}

}  // namespace analytics

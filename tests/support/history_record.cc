#include "support/history_record.h"

#include <ctime>
#include <utility>

namespace stock::support {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr int kOk = 0;

std::chrono::microseconds duration_of(const google::protobuf::Duration& duration) {
  return seconds(duration.seconds()) + microseconds(duration.nanos() / 1000);
}

std::string layer_name(v1::Layer layer) {
  switch (layer) {
    case v1::LAYER_MEMORY:
      return "memory";
    case v1::LAYER_REDIS:
      return "redis";
    case v1::LAYER_REPLICA:
      return "replica";
    case v1::LAYER_PRIMARY:
      return "primary";
    default:
      return "nobody";
  }
}

}  // namespace

domain::LocalTime boot_time() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return domain::LocalTime(seconds(now.tv_sec) + nanoseconds(now.tv_nsec));
}

domain::Counts counts_of(const v1::Counts& counts) {
  return {.on_hand = counts.on_hand(),
          .reserved = counts.reserved(),
          .committed = counts.committed(),
          .safety_stock = counts.safety_stock(),
          .backorder_limit = counts.backorder_limit()};
}

domain::DatabaseTime time_of(const google::protobuf::Timestamp& time) {
  return domain::DatabaseTime(seconds(time.seconds()) + microseconds(time.nanos() / 1000));
}

google::protobuf::Timestamp timestamp_of(domain::DatabaseTime time) {
  const std::int64_t us = time.time_since_epoch().count();
  google::protobuf::Timestamp timestamp;
  timestamp.set_seconds(us / 1'000'000);
  timestamp.set_nanos(static_cast<int>(us % 1'000'000 * 1000));
  return timestamp;
}

Statement statement_of(const v1::StockLevel& level) {
  const v1::LevelProvenance& provenance = level.provenance();
  Statement said{.key = {level.key().sku(), level.key().location()},
                 .exists = level.exists(),
                 .version = level.version(),
                 .counts = counts_of(level.counts()),
                 .true_through = time_of(provenance.true_through()),
                 .age = duration_of(provenance.age()),
                 .layer = layer_name(provenance.layer())};
  if (provenance.has_as_of()) said.as_of = time_of(provenance.as_of());
  if (provenance.has_seen_by()) said.seen_by = time_of(provenance.seen_by());
  said.in_transition = provenance.in_transition();
  return said;
}

Total total_of(const v1::StockTotal& total, std::vector<std::string> locations) {
  return {.sku = total.sku(),
          .locations = std::move(locations),
          .counts = counts_of(total.counts()),
          .available = total.counts().available(),
          .found = total.locations(),
          .age = duration_of(total.age()),
          .mixed = total.mixed()};
}

CartLine cart_line_of(const v1::LineAvailability& line, const std::vector<std::string>& locations) {
  return {.sku = line.line().sku(),
          .locations = line.line().location().empty()
                           ? locations
                           : std::vector<std::string>{line.line().location()},
          .quantity = line.line().quantity(),
          .found = line.found(),
          .available = line.available(),
          .shortfall = line.shortfall()};
}

void note_provenance(const v1::Provenance& provenance, ReadOp& op) {
  op.from = provenance.instance();
  op.bound_missed = provenance.bound_missed();
  op.age = duration_of(provenance.age());
  op.uncertainty = duration_of(provenance.uncertainty());
}

// A failure that names its reason was answered by stockd, which says so when it does not know.
// Without a reason the answer was lost, and with it what became of the call.
Fate fate_of(const Ended& ended) {
  if (ended.code == kOk) return Fate::kAcknowledged;
  if (ended.reason.empty()) return Fate::kUnknown;
  if (ended.metadata.contains("applied")) return Fate::kUnknown;
  return Fate::kRefused;
}

}  // namespace stock::support

// Between the thread that reads the stream and the one that counts: what is waiting becomes one
// batch. Bounded; a reader that is ahead waits, and with it the server. Thread-safe.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "analytics/rollup.h"

namespace stock::v1 {
class StreamStockMovementsResponse;
}

namespace analytics {

struct Batch {
  std::vector<Sale> sales;
  std::int64_t movements = 0;             // of any kind
  std::string token;                      // behind all of it; empty: nothing was said
  std::optional<DatabaseTime> watermark;  // the last one
  bool reset = false;                     // the ledger is in another incarnation than before

  // One more response behind it.
  void add(const stock::v1::StreamStockMovementsResponse& response);
};

class Inbox {
 public:
  // `max_movements`: more than a response holds, 1,000.
  explicit Inbox(std::int64_t max_movements) : max_movements_(max_movements) {}

  // Waits for room. False: nobody takes any more.
  bool put(const stock::v1::StreamStockMovementsResponse& response);
  // The stream has ended with this.
  void close(absl::Status status);

  // Waits for something. Nothing: it is closed, and empty.
  std::optional<Batch> take();
  // What is in it, and comes, is of no interest any more.
  void abandon();
  // Once closed.
  absl::Status status();

 private:
  const std::int64_t max_movements_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Batch batch_;
  bool any_ = false;
  bool closed_ = false;
  bool abandoned_ = false;
  absl::Status status_;
};

}  // namespace analytics

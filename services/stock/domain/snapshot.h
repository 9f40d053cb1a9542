// Which transactions a statement of the primary saw.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stock/domain/reading.h"

namespace stock::domain {

// A transaction's number, never given out twice within one incarnation.
using Xid = std::uint64_t;

// A committed transaction of the ledger.
struct Transaction {
  Incarnation incarnation = 0;  // 0: not known
  Xid xid = 0;

  friend bool operator==(const Transaction&, const Transaction&) = default;
};

// As PostgreSQL's pg_snapshot: everything below xmin is over, nothing from xmax on had begun, and
// of those between, `running` had not ended.
class Snapshot {
 public:
  Snapshot() = default;
  // `running` in ascending order, within [xmin, xmax).
  Snapshot(Xid xmin, Xid xmax, std::vector<Xid> running)
      : xmin_(xmin), xmax_(xmax), running_(std::move(running)) {}

  // "xmin:xmax:running,running...", as pg_snapshot is written.
  static std::optional<Snapshot> parse(std::string_view text);
  [[nodiscard]] std::string text() const;

  // Whether it shows the transaction, given that this has been committed.
  [[nodiscard]] bool shows(Xid xid) const;

  [[nodiscard]] Xid xmin() const { return xmin_; }
  [[nodiscard]] Xid xmax() const { return xmax_; }
  [[nodiscard]] const std::vector<Xid>& running() const { return running_; }

  friend bool operator==(const Snapshot&, const Snapshot&) = default;

 private:
  Xid xmin_ = 0;
  Xid xmax_ = 0;
  std::vector<Xid> running_;
};

}  // namespace stock::domain

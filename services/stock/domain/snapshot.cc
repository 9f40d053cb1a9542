#include "stock/domain/snapshot.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

namespace stock::domain {
namespace {

// Takes a number off the front; false when there is none.
bool take_number(std::string_view& text, Xid& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::optional<Snapshot> Snapshot::parse(std::string_view text) {
  Snapshot snapshot;
  if (!take_number(text, snapshot.xmin_) || !take(text, ':') ||
      !take_number(text, snapshot.xmax_) || !take(text, ':') || snapshot.xmin_ > snapshot.xmax_) {
    return std::nullopt;
  }
  while (!text.empty()) {
    if (!snapshot.running_.empty() && !take(text, ',')) return std::nullopt;
    Xid xid = 0;
    const bool good = take_number(text, xid) && xid >= snapshot.xmin_ && xid < snapshot.xmax_ &&
                      (snapshot.running_.empty() || snapshot.running_.back() < xid);
    if (!good) return std::nullopt;
    snapshot.running_.push_back(xid);
  }
  return snapshot;
}

std::string Snapshot::text() const {
  return fmt::format("{}:{}:{}", xmin_, xmax_, fmt::join(running_, ","));
}

bool Snapshot::shows(Xid xid) const {
  if (xid < xmin_) return true;
  return xid < xmax_ && !std::binary_search(running_.begin(), running_.end(), xid);
}

}  // namespace stock::domain

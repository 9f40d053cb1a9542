#include "support/swarm_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "support/history_record.h"

namespace stock::support {
namespace {

using domain::Key;
using std::chrono::milliseconds;

constexpr std::size_t kTokensKept = 8;
constexpr std::size_t kTokensOnBoard = 64;
constexpr int kAttempts = 2;
constexpr std::array<milliseconds, 5> kBounds = {
    milliseconds(20), milliseconds(100), milliseconds(300), milliseconds(1000), milliseconds(5000)};

void fill(const Key& key, v1::Key& out) {
  out.set_sku(key.sku);
  out.set_location(key.location);
}

domain::Key key_of(const v1::Key& key) { return {key.sku(), key.location()}; }

WrittenLevel written(const v1::WrittenLevel& level) {
  return {key_of(level.key()), level.version(), counts_of(level.counts())};
}

std::vector<WrittenLevel> levels_of(const v1::AdjustStockResponse& response) {
  std::vector<WrittenLevel> levels;
  for (const auto& level : response.levels()) levels.push_back(written(level));
  return levels;
}
std::vector<WrittenLevel> levels_of(const v1::SetStockResponse& response) {
  return {written(response.level())};
}
std::vector<WrittenLevel> levels_of(const v1::ImportStockLevelsResponse&) { return {}; }

}  // namespace

void TokenBoard::pin(const Token& token) {
  const std::lock_guard lock(mutex_);
  tokens_.push_back(token);
  if (tokens_.size() > kTokensOnBoard) tokens_.pop_front();
}

Token TokenBoard::any(std::uint64_t chance) {
  const std::lock_guard lock(mutex_);
  return tokens_.empty() ? Token{} : tokens_[chance % tokens_.size()];
}

SwarmClient::SwarmClient(const Swarm::Options& options, int number, TokenBoard& board)
    : options_(options),
      number_(number),
      board_(board),
      chance_(options.seed * 1009 + static_cast<std::uint64_t>(number)) {
  for (const std::string& address : options.addresses) {
    stockds_.push_back(std::make_unique<StockClient>(address));
    stockds_.back()->set_deadline(options.deadline);
  }
  at_ = static_cast<std::size_t>(number) % stockds_.size();
}

bool SwarmClient::act() {
  const std::uint64_t what = pick(100);
  const std::uint64_t writes = options_.writes;
  const bool ok = what >= writes          ? read()
                  : what < writes * 2 / 3 ? adjust()
                  : what < writes * 7 / 8 ? set()
                                          : import();
  ++(ok ? answered : failed);
  // Somewhere else next time, as behind a load balancer that has noticed.
  if (!ok) at_ = pick(stockds_.size());
  return ok;
}

StockClient& SwarmClient::stockd() {
  if (once_in(8)) at_ = pick(stockds_.size());
  return *stockds_[at_];
}

// Half of all calls are for a few hot keys.
const Key& SwarmClient::key() {
  const std::size_t n = options_.keys.size();
  return options_.keys[once_in(2) ? pick(std::max<std::size_t>(n / 8, 1)) : pick(n)];
}

std::string SwarmClient::next_request() {
  return fmt::format("{:08x}-{:04x}-4000-8000-{:012x}", options_.seed & 0xffffffff, number_,
                     ++requests_);
}

// ---- Reading

v1::Consistency SwarmClient::choose(ReadOp& op) {
  v1::Consistency consistency;
  consistency.set_allow_stale(once_in(6));
  op.bound = options_.max_staleness;
  const std::uint64_t what = pick(100);
  if (what < 35) {
    if (once_in(2)) consistency.set_minimize_latency(true);
  } else if (what < 55) {
    const milliseconds bound = kBounds.at(pick(kBounds.size()));
    consistency = at_most(bound, consistency.allow_stale());
    op.bound = bound;
  } else if (what < 70) {
    consistency.set_fully_consistent(true);
    op.asked = Asked::kFullyConsistent;
  } else if (what < 95) {
    const Token token =
        tokens_.empty() || once_in(4) ? board_.any(chance_()) : tokens_[pick(tokens_.size())];
    if (!token.text.empty()) {
      consistency.set_at_least_as_fresh(token.text);
      op.asked = Asked::kAtLeast;
      op.token_of = token.request;
    }
  } else if (known_ != domain::DatabaseTime{}) {
    op.read_time = known_ - std::chrono::microseconds(pick(3'000'000));
    *consistency.mutable_read_time() = timestamp_of(op.read_time);
    consistency.clear_allow_stale();
    op.asked = Asked::kReadTime;
  }
  return consistency;
}

bool SwarmClient::read() {
  ReadOp op{.client = number_};
  const v1::Consistency consistency = choose(op);
  const std::uint64_t what = pick(100);
  if (what < 20) return read_batch(std::move(op), consistency);
  if (what < 28) return read_totals(std::move(op), consistency);
  if (what < 36) return check_cart(std::move(op), consistency);
  if (what < 40) return read_version({.client = number_});
  if (what < 42 && op.asked != Asked::kReadTime) return list(std::move(op), consistency);
  return read_one(std::move(op), consistency);
}

bool SwarmClient::read_one(ReadOp op, const v1::Consistency& consistency) {
  StockClient& from = stockd();
  const Key& wanted = key();
  op.sent = boot_time();
  const auto called = from.get(wanted.sku, wanted.location, consistency);
  if (called.ok()) {
    op.levels.push_back(statement_of(called.response.level()));
    note_provenance(called.response.provenance(), op);
  }
  return note(called, op);
}

bool SwarmClient::read_batch(ReadOp op, const v1::Consistency& consistency) {
  v1::BatchGetStockLevelsRequest request;
  *request.mutable_consistency() = consistency;
  const std::uint64_t n = 1 + pick(options_.keys.size());
  for (std::uint64_t i = 0; i < n; ++i) fill(key(), *request.add_keys());
  for (std::uint64_t i = pick(4); i > 0 && !options_.intruders_keys.empty(); --i) {
    fill(options_.intruders_keys[pick(options_.intruders_keys.size())], *request.add_keys());
  }
  StockClient& from = stockd();
  op.sent = boot_time();
  const auto called = from.batch(request);
  if (called.ok()) {
    for (const auto& level : called.response.levels()) op.levels.push_back(statement_of(level));
    note_provenance(called.response.provenance(), op);
  }
  return note(called, op);
}

bool SwarmClient::read_totals(ReadOp op, const v1::Consistency& consistency) {
  v1::BatchGetStockTotalsRequest request;
  *request.mutable_consistency() = consistency;
  const std::uint64_t n = 1 + pick(3);
  for (std::uint64_t i = 0; i < n; ++i) request.add_skus(key().sku);
  std::vector<std::string> locations = options_.locations;
  if (once_in(4)) {
    locations = {locations[pick(locations.size())]};
    request.add_locations(locations[0]);
  }
  StockClient& from = stockd();
  op.sent = boot_time();
  const auto called = from.totals(request);
  if (called.ok()) {
    for (const auto& total : called.response.totals()) {
      op.totals.push_back(total_of(total, locations));
    }
    note_provenance(called.response.provenance(), op);
  }
  return note(called, op);
}

// Some lines compete with each other.
bool SwarmClient::check_cart(ReadOp op, const v1::Consistency& consistency) {
  v1::CheckAvailabilityRequest request;
  *request.mutable_consistency() = consistency;
  const std::uint64_t n = 1 + pick(4);
  for (std::uint64_t i = 0; i < n; ++i) {
    const Key& wanted = key();
    v1::CartLine& line = *request.add_lines();
    line.set_sku(wanted.sku);
    if (once_in(2)) line.set_location(wanted.location);
    line.set_quantity(static_cast<std::int64_t>(1 + pick(once_in(2) ? 10 : 20'000)));
    if (once_in(3)) *request.add_lines() = line;
  }
  StockClient& from = stockd();
  op.sent = boot_time();
  const auto called = from.check(request);
  if (called.ok()) {
    for (const auto& line : called.response.lines()) {
      op.cart.push_back(cart_line_of(line, options_.locations));
    }
    op.cart_available = called.response.available();
    note_provenance(called.response.provenance(), op);
  }
  return note(called, op);
}

// Any that there was, or the next one, which may not be there yet.
bool SwarmClient::read_version(ReadOp op) {
  const Key& wanted = key();
  op.asked = Asked::kVersion;
  op.version =
      static_cast<domain::Version>(1 + pick(static_cast<std::uint64_t>(newest_[wanted]) + 1));
  v1::Consistency consistency;
  consistency.set_version(op.version);
  StockClient& from = stockd();
  op.sent = boot_time();
  const auto called = from.get(wanted.sku, wanted.location, consistency);
  if (called.ok()) {
    op.levels.push_back(statement_of(called.response.level()));
    note_provenance(called.response.provenance(), op);
  } else if (called.reason == "VERSION_NOT_FOUND") {
    op.denied = wanted;
    op.version_denied = true;
  }
  return note(called, op);
}

bool SwarmClient::list(ReadOp op, const v1::Consistency& consistency) {
  v1::ListStockLevelsRequest request;
  *request.mutable_consistency() = consistency;
  StockClient& from = stockd();
  op.sent = boot_time();
  const auto called = from.list(request);
  if (called.ok()) {
    for (const auto& level : called.response.levels()) op.levels.push_back(statement_of(level));
    note_provenance(called.response.provenance(), op);
  }
  return note(called, op);
}

bool SwarmClient::note(const Ended& ended, ReadOp& op) {
  op.received = boot_time();
  op.write_lost = ended.reason == "WRITE_LOST";
  if (!ended.ok() && !op.write_lost && !op.version_denied) return false;
  for (const Statement& said : op.levels) {
    known_ = std::max(known_, said.true_through);
    domain::Version& newest = newest_[said.key];
    newest = std::max(newest, said.version);
  }
  reads.push_back(std::move(op));
  return true;
}

// ---- Writing

template <typename Request, typename Call>
bool SwarmClient::write(Request request, WriteOp op, Call call) {
  op.client = number_;
  op.request = next_request();
  request.mutable_context()->set_request_id(op.request);
  request.mutable_context()->set_actor(fmt::format("client {}", number_));
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    op.sent = boot_time();
    const auto called = call(stockd(), request);
    op.received = boot_time();
    op.from = fmt::format("stockd {}", at_);
    op.fate = fate_of(called);
    op.replayed = called.response.replayed();
    op.levels = called.ok() ? levels_of(called.response) : std::vector<WrittenLevel>{};
    writes.push_back(op);
    if (called.ok() && !called.response.token().empty()) {
      tokens_.push_back({op.request, called.response.token()});
      if (tokens_.size() > kTokensKept) tokens_.pop_front();
      board_.pin(tokens_.back());
    }
    // Sometimes the answer is not believed, and asked for again.
    if (op.fate == Fate::kAcknowledged && !once_in(16)) return true;
    if (op.fate == Fate::kRefused && !once_in(4)) return true;
    if (op.fate == Fate::kUnknown) at_ = pick(stockds_.size());
  }
  return op.fate != Fate::kUnknown;
}

bool SwarmClient::adjust() {
  v1::AdjustStockRequest request;
  WriteOp op;
  const std::uint64_t lines = once_in(3) ? 1 + pick(4) : 1;
  for (std::uint64_t i = 0; i < lines; ++i) {
    const Key& on = key();
    const auto delta = static_cast<std::int64_t>(once_in(3) ? 1 + pick(20) : 1 + pick(3));
    auto& line = *request.add_lines();
    fill(on, *line.mutable_key());
    // Positive and negative lines of one request are of different sizes: no sum of them is 0.
    line.set_on_hand_delta(once_in(3) ? -1000 - delta : delta);
    op.deltas[on] += line.on_hand_delta();
  }
  return write(std::move(request), std::move(op),
               [](StockClient& at, const auto& message) { return at.adjust(message); });
}

bool SwarmClient::set() {
  v1::SetStockRequest request;
  fill(key(), *request.mutable_key());
  request.set_on_hand(static_cast<std::int64_t>(1 + pick(20'000)));
  if (once_in(4)) request.set_expected_version(static_cast<std::int64_t>(pick(4)));
  return write(std::move(request), {},
               [](StockClient& at, const auto& message) { return at.set(message); });
}

bool SwarmClient::import() {
  v1::ImportStockLevelsRequest request;
  const std::size_t n = options_.keys.size();
  const std::size_t first = pick(n);
  for (std::size_t i = 0; i <= pick(3) && i < n; ++i) {
    auto& row = *request.add_rows();
    fill(options_.keys[(first + i) % n], *row.mutable_key());
    row.set_on_hand(static_cast<std::int64_t>(1 + pick(20'000)));
    if (once_in(3)) row.set_safety_stock(static_cast<std::int64_t>(pick(10)));
  }
  return write(std::move(request), {},
               [](StockClient& at, const auto& message) { return at.import(message); });
}

}  // namespace stock::support

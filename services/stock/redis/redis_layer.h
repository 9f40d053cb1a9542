// The layer in Redis: dated copies (codec.h), one string per key, shared by all processes that use
// the same ledger.
//
// Redis is never trusted. It may lose writes, evict, fail over to a replica that missed some, or
// hold what somebody else wrote: each is a miss, a kCorrupt or an old copy, and whether a copy is
// fresh enough is decided in the read path, by its date. That is also why an offer is a plain SET
// and the last one wins, in the wrong order too: to compare first would cost Redis four times as
// much, and an older copy that wins is only read past.
//
// Thread-safe. One thread of its own talks to Redis on one connection, one MGET per read, all that
// waits in one write. It calls `done`, so `done` must not block. While there is no connection reads
// are answered kError at once, on the caller's thread. An answer that does not come within
// `timeout` costs all commands under way (kTimeout) and the connection; it is made again after
// 50 ms, and then less and less often, down to every 2 s.
//
// Needs of Redis: MGET, SET, DEL, PING, and AUTH or SELECT where configured. The process must
// ignore SIGPIPE.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "stock/domain/key.h"
#include "stock/domain/reading.h"
#include "stock/feed/ledger_identity.h"
#include "stock/layers/layer.h"
#include "stock/layers/removable.h"

namespace stock::redis {

class Client;
struct Result;

struct RedisOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 6379;
  std::string user = {};      // empty: Redis's default user
  std::string password = {};  // empty: no AUTH
  int db = 0;
  std::chrono::milliseconds ttl = std::chrono::hours(1);  // of a copy
  std::chrono::milliseconds timeout{100};
  // For the whole way from connecting to the first answer.
  std::chrono::milliseconds connect_timeout{2000};
  // Copies on their way to Redis, each well under 1 KB. An offer that does not fit is dropped as a
  // whole.
  std::size_t max_pending_offers = 10'000;
  // Tells when the connection is there, and when and why it is not; a reason is not repeated.
  // Called on the layer's thread; must not block.
  std::function<void(bool connected, const std::string& why)> on_connection = {};
};

struct RedisStats {
  bool connected = false;
  std::uint64_t pending_reads = 0;  // MGETs without an answer yet
  std::uint64_t pending_offers = 0;
  std::uint64_t offers_stored = 0;
  // Never sent: no connection, too many pending, or not of the ledger's incarnation.
  std::uint64_t offers_dropped = 0;
  std::uint64_t offers_failed = 0;  // refused by Redis (out of memory...) or without an answer
  std::uint64_t corrupt_values = 0;
};

class RedisLayer final : public layers::Layer, public layers::Fillable, public layers::Removable {
 public:
  // Returns at once, and connects by itself. `ledger` must outlive this.
  RedisLayer(RedisOptions options, const feed::LedgerIdentity& ledger);
  // Answers what is under way with kError, and waits for that.
  ~RedisLayer() override;

  [[nodiscard]] std::string_view name() const override { return "redis"; }
  void read(std::span<const domain::Key> keys, std::span<layers::Answer> answers,
            const layers::ReadContext& context, layers::Done done) override;
  void offer(std::span<const domain::Key> keys, std::span<const domain::Reading> readings) override;
  // Of the ledger's incarnation; others are nobody's.
  void remove(std::span<const domain::Key> keys,
              absl::AnyInvocable<void(absl::Status)> done) override;

  [[nodiscard]] RedisStats stats() const;

 private:
  // Returns the detail for `done`.
  std::string settle_read(domain::Incarnation incarnation, std::span<const domain::Key> keys,
                          std::span<layers::Answer> answers, const Result& result);
  void settle_offer(const Result& result);

  const feed::LedgerIdentity& ledger_;
  const std::chrono::milliseconds ttl_;
  const std::size_t max_pending_offers_;
  std::atomic<std::uint64_t> pending_reads_{0};
  std::atomic<std::uint64_t> pending_offers_{0};
  std::atomic<std::uint64_t> offers_stored_{0};
  std::atomic<std::uint64_t> offers_dropped_{0};
  std::atomic<std::uint64_t> offers_failed_{0};
  std::atomic<std::uint64_t> corrupt_values_{0};
  // Last, so that its thread ends before what that uses.
  const std::unique_ptr<Client> client_;
};

}  // namespace stock::redis

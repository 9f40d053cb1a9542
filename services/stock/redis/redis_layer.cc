#include "stock/redis/redis_layer.h"

#include <fmt/format.h>
#include <hiredis/hiredis.h>

#include <utility>
#include <vector>

#include "stock/redis/client.h"
#include "stock/redis/codec.h"
#include "stock/redis/command.h"

namespace stock::redis {
namespace {

using domain::Outcome;

// A command about keys.
std::string about(std::string_view name, domain::Incarnation incarnation,
                  std::span<const domain::Key> keys) {
  Command command(1 + keys.size());
  command.add(name);
  KeyEncoder encode(incarnation);
  for (const domain::Key& key : keys) command.add(encode(key));
  return command.take();
}

std::string set(const domain::Key& key, const domain::Reading& reading,
                std::chrono::milliseconds ttl) {
  return Command(5)
      .add("SET")
      .add(encode_key(reading.incarnation, key))
      .add(encode_value(key, reading))
      .add("PX")
      .add(std::to_string(ttl.count()))
      .take();
}

// Returns the detail to give with these answers.
std::string fail(std::span<layers::Answer> answers, Outcome outcome, std::string_view why) {
  for (layers::Answer& answer : answers) answer = {.outcome = outcome, .reading = {}};
  return fmt::format("redis: {}", why);
}

std::string message(const absl::Status& status) { return std::string(status.message()); }

// Of a string, or of an error; empty when the reply has none.
std::string_view text(const redisReply& reply) {
  return reply.str == nullptr ? std::string_view() : std::string_view(reply.str, reply.len);
}

Connection::Options connection_options(const RedisOptions& options) {
  return {.endpoint = {.host = options.host,
                       .port = options.port,
                       .user = options.user,
                       .password = options.password,
                       .db = options.db},
          .timeout = options.timeout,
          .connect_timeout = options.connect_timeout};
}

}  // namespace

RedisLayer::RedisLayer(RedisOptions options, const feed::LedgerIdentity& ledger)
    : ledger_(ledger),
      ttl_(options.ttl),
      max_pending_offers_(options.max_pending_offers),
      client_(std::make_unique<Client>(connection_options(options),
                                       std::move(options.on_connection))) {}

RedisLayer::~RedisLayer() = default;

void RedisLayer::read(std::span<const domain::Key> keys, std::span<layers::Answer> answers,
                      const layers::ReadContext& /*context*/, layers::Done done) {
  const domain::Incarnation incarnation = ledger_.current();
  if (incarnation == 0) {
    return done(fail(answers, Outcome::kError, "the ledger's incarnation is not known yet"));
  }
  if (keys.empty()) return done({});

  pending_reads_.fetch_add(1, std::memory_order_relaxed);
  Request request{.command = about("MGET", incarnation, keys),
                  .on_result = [this, incarnation, keys, answers,
                                done = std::move(done)](const Result& result) mutable {
                    pending_reads_.fetch_sub(1, std::memory_order_relaxed);
                    done(settle_read(incarnation, keys, answers, result));
                  }};
  const absl::Status sent = client_->send({&request, 1});
  if (!sent.ok()) request.on_result({.why = message(sent)});
}

void RedisLayer::offer(std::span<const domain::Key> keys,
                       std::span<const domain::Reading> readings) {
  const domain::Incarnation incarnation = ledger_.current();
  std::vector<Request> requests;
  requests.reserve(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (incarnation == 0 || readings[i].incarnation != incarnation) continue;
    requests.push_back({.command = set(keys[i], readings[i], ttl_),
                        .on_result = [this](const Result& result) { settle_offer(result); }});
  }
  const std::size_t n = requests.size();
  const bool room =
      pending_offers_.fetch_add(n, std::memory_order_relaxed) + n <= max_pending_offers_;
  const bool sent = room && client_->send(requests).ok();
  if (!sent) pending_offers_.fetch_sub(n, std::memory_order_relaxed);
  offers_dropped_.fetch_add(keys.size() - (sent ? n : 0), std::memory_order_relaxed);
}

void RedisLayer::remove(std::span<const domain::Key> keys,
                        absl::AnyInvocable<void(absl::Status)> done) {
  const domain::Incarnation incarnation = ledger_.current();
  if (incarnation == 0) {
    return done(absl::UnavailableError("redis: the ledger's incarnation is not known yet"));
  }
  if (keys.empty()) return done(absl::OkStatus());
  Request request{.command = about("DEL", incarnation, keys),
                  .on_result = [done = std::move(done)](const Result& result) mutable {
                    const redisReply* const reply = result.reply;
                    if (reply != nullptr && reply->type == REDIS_REPLY_INTEGER)
                      return done(absl::OkStatus());
                    const std::string_view why =
                        reply == nullptr ? std::string_view(result.why) : text(*reply);
                    done(absl::UnavailableError(fmt::format("redis: {}", why)));
                  }};
  const absl::Status sent = client_->send({&request, 1});
  if (!sent.ok()) request.on_result({.why = message(sent)});
}

std::string RedisLayer::settle_read(domain::Incarnation incarnation,
                                    std::span<const domain::Key> keys,
                                    std::span<layers::Answer> answers, const Result& result) {
  const redisReply* const reply = result.reply;
  if (reply == nullptr) {
    const bool timeout = result.failure == Failure::kTimeout;
    return fail(answers, timeout ? Outcome::kTimeout : Outcome::kError, result.why);
  }
  if (reply->type == REDIS_REPLY_ERROR) return fail(answers, Outcome::kError, text(*reply));
  if (reply->type != REDIS_REPLY_ARRAY || reply->elements != keys.size()) {
    return fail(answers, Outcome::kError, "a reply of another shape");
  }
  std::size_t corrupt = 0;
  std::string first;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const redisReply& value = *reply->element[i];
    layers::Answer& answer = answers[i];
    answer.shows.reset();
    if (value.type == REDIS_REPLY_NIL) {
      answer.outcome = Outcome::kMiss;
      continue;
    }
    const absl::Status decoded = decode_value(incarnation, keys[i], text(value), answer.reading);
    answer.outcome = decoded.ok() ? Outcome::kHit : Outcome::kCorrupt;
    if (!decoded.ok() && corrupt++ == 0) first = message(decoded);
  }
  if (corrupt == 0) return {};
  corrupt_values_.fetch_add(corrupt, std::memory_order_relaxed);
  if (corrupt == 1) return fmt::format("redis: 1 value malformed: {}", first);
  return fmt::format("redis: {} values malformed, the first: {}", corrupt, first);
}

void RedisLayer::settle_offer(const Result& result) {
  const bool stored = result.reply != nullptr && result.reply->type == REDIS_REPLY_STATUS;
  (stored ? offers_stored_ : offers_failed_).fetch_add(1, std::memory_order_relaxed);
  pending_offers_.fetch_sub(1, std::memory_order_relaxed);
}

RedisStats RedisLayer::stats() const {
  return {.connected = client_->connected(),
          .pending_reads = pending_reads_.load(std::memory_order_relaxed),
          .pending_offers = pending_offers_.load(std::memory_order_relaxed),
          .offers_stored = offers_stored_.load(std::memory_order_relaxed),
          .offers_dropped = offers_dropped_.load(std::memory_order_relaxed),
          .offers_failed = offers_failed_.load(std::memory_order_relaxed),
          .corrupt_values = corrupt_values_.load(std::memory_order_relaxed)};
}

}  // namespace stock::redis

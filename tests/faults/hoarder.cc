#include "faults/hoarder.h"

#include <hiredis/hiredis.h>
#include <sys/time.h>

#include <stdexcept>

namespace stock::faults {
namespace {

constexpr std::size_t kMostOfAKey = 200;

void add_strings(const redisReply& reply, std::vector<std::string>& out) {
  if (reply.type == REDIS_REPLY_ARRAY) {
    for (std::size_t i = 0; i < reply.elements; ++i) add_strings(*reply.element[i], out);
  } else {
    out.emplace_back(
        reply.str == nullptr ? "" : std::string(reply.str, static_cast<std::size_t>(reply.len)));
  }
}

}  // namespace

void Hoarder::Free::operator()(redisContext* context) const { redisFree(context); }

Hoarder::Hoarder(std::uint16_t port, std::chrono::seconds patience) {
  const timeval limit{.tv_sec = patience.count(), .tv_usec = 0};
  context_.reset(redisConnectWithTimeout("127.0.0.1", port, limit));
  if (!context_ || context_->err != 0) throw std::runtime_error("Redis is not there");
  redisSetTimeout(context_.get(), limit);
}

std::vector<std::string> Hoarder::strings(const std::vector<std::string_view>& command) {
  std::vector<const char*> words;
  std::vector<std::size_t> lengths;
  for (const std::string_view word : command) {
    words.push_back(word.data());
    lengths.push_back(word.size());
  }
  void* answer = redisCommandArgv(context_.get(), static_cast<int>(words.size()), words.data(),
                                  lengths.data());
  const std::unique_ptr<redisReply, void (*)(void*)> reply(static_cast<redisReply*>(answer),
                                                           freeReplyObject);
  if (!reply) throw std::runtime_error("Redis does not answer");
  if (reply->type == REDIS_REPLY_ERROR) throw std::runtime_error(reply->str);
  std::vector<std::string> out;
  add_strings(*reply, out);
  return out;
}

void Hoarder::take() {
  const std::vector<std::string> keys = strings({"KEYS", "*"});
  if (keys.empty()) return;
  std::vector<std::string_view> command = {"MGET"};
  command.insert(command.end(), keys.begin(), keys.end());
  const std::vector<std::string> values = strings(command);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    std::vector<std::string>& copies = taken[keys[i]];
    const bool news = copies.empty() || copies.back() != values[i];
    if (!values[i].empty() && news && copies.size() < kMostOfAKey) copies.push_back(values[i]);
  }
}

void Hoarder::put(std::string_view key, std::string_view value) {
  strings({"SET", key, value, "PX", "60000"});
  ++put_back_;
}

void Hoarder::put_back_any(std::uint64_t chance) {
  for (const auto& [key, values] : taken) {
    chance = chance * 6364136223846793005 + 1442695040888963407;
    put(key, values[(chance >> 33) % values.size()]);
  }
}

void Hoarder::put_back_some(std::uint64_t chance) {
  for (const auto& [key, values] : taken) {
    chance = chance * 6364136223846793005 + 1442695040888963407;
    if ((chance >> 60) < 4 && !values.empty()) put(key, values[(chance >> 33) % values.size()]);
  }
}

void Hoarder::put_back_oldest() {
  for (const auto& [key, values] : taken) put(key, values.front());
}

void Hoarder::put_back_in_reverse() {
  for (const auto& [key, values] : taken) {
    for (auto value = values.rbegin(); value != values.rend(); ++value) put(key, *value);
  }
}

void Hoarder::put_back_under_other_names(std::uint64_t chance) {
  for (const auto& [key, values] : taken) {
    for (const auto& [other, its_values] : taken) {
      chance = chance * 6364136223846793005 + 1442695040888963407;
      if (key != other && (chance >> 33) % 8 == 0) put(key, its_values.back());
    }
  }
}

void Hoarder::limit_memory(const std::string& policy) {
  strings({"CONFIG", "SET", "maxmemory-policy", policy});
  strings({"CONFIG", "SET", "maxmemory", "1"});
}

void Hoarder::lift_limit() {
  strings({"CONFIG", "SET", "maxmemory", "268435456"});
  strings({"CONFIG", "SET", "maxmemory-policy", "allkeys-lru"});
}

}  // namespace stock::faults

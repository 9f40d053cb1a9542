// Keeps copies of what lies in Redis, and puts them back when their time is over. Of one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct redisContext;

namespace stock::faults {

class Hoarder {
 public:
  // Throws std::runtime_error when Redis does not do what it is told, each time in so long.
  explicit Hoarder(std::uint16_t port, std::chrono::seconds patience = std::chrono::seconds(60));

  // Adds what is there now.
  void take();
  // For every key, one of the copies of it that were ever taken; the first one.
  void put_back_any(std::uint64_t chance);
  // For a quarter of them.
  void put_back_some(std::uint64_t chance);
  void put_back_oldest();
  // Of every key all copies, the newest first.
  void put_back_in_reverse();
  // For every key of an incarnation, a copy of another key, or of the same key in another
  // incarnation.
  void put_back_under_other_names(std::uint64_t chance);
  // How many were put back in all.
  [[nodiscard]] std::uint64_t put_back() const { return put_back_; }

  // No room for anything more; what is to be done about it is the policy's.
  void limit_memory(const std::string& policy);
  void lift_limit();

  // Values of each key, oldest first.
  std::map<std::string, std::vector<std::string>> taken;

 private:
  struct Free {
    void operator()(redisContext* context) const;
  };
  std::vector<std::string> strings(const std::vector<std::string_view>& command);
  void put(std::string_view key, std::string_view value);

  std::unique_ptr<redisContext, Free> context_;
  std::uint64_t put_back_ = 0;
};

}  // namespace stock::faults

#pragma once

// The configuration of one process: plain values, validated once, handed out by the binary.
//
// A flag wins over the environment, which wins over the file (TOML), which wins over the default.
// What nobody knows, a key in the file or a STOCKD_ variable, is an error: a misspelled setting
// must not silently be another one. No other room reads the environment, a flag or a file.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "stock/config/endpoints.h"

namespace stock::config {

enum class FlagEffect { kHide, kCap, kEndSale };

// What a feature flag does.
struct FlagRule {
  std::string flag;
  FlagEffect effect = FlagEffect::kHide;
};

enum class FlagsDown { kLastKnown, kUnflagged };

// What each setting means, its limits and its default text are in settings.cc, once; the values
// here are the defaults.
struct Config {
  using Duration = std::chrono::milliseconds;

  // Serving
  Address listen{.host = "127.0.0.1", .port = 7070};
  bool share_port = false;
  Address admin_listen{.host = "127.0.0.1", .port = 7071};
  bool console_changes = false;
  std::string instance;  // never empty once loaded
  std::int64_t max_message_bytes = 4 << 20;
  std::int64_t max_concurrent_streams = 1000;
  std::int64_t max_streams = 10'000;
  Duration max_connection_age = std::chrono::minutes(30);
  Duration keepalive_time = std::chrono::seconds(60);
  Duration drain_timeout = std::chrono::seconds(10);
  std::string log_level = "info";

  // Reading
  std::vector<std::string> layers = {"memory", "redis", "replica", "primary"};  // as visited
  Duration max_staleness = std::chrono::seconds(5);
  Duration overload_wait = std::chrono::milliseconds(100);
  std::int64_t read_batch = 256;
  std::int64_t breaker_failures = 5;
  Duration breaker_open = std::chrono::seconds(1);

  // Memory
  std::int64_t memory_capacity = 1'000'000;
  std::int64_t memory_shards = 16;

  // Redis
  std::string redis_url;  // secret, as the other URLs; empty where there is none
  Duration redis_ttl = std::chrono::minutes(10);
  Duration redis_timeout = std::chrono::milliseconds(50);
  std::int64_t redis_flights = 4;
  std::int64_t redis_batch = 256;

  // PostgreSQL
  std::string primary_url;
  std::string replica_url;
  std::int64_t primary_connections = 4;
  std::int64_t replica_connections = 4;
  Duration primary_timeout = std::chrono::seconds(1);
  Duration replica_timeout = std::chrono::milliseconds(500);
  Duration heartbeat_interval = std::chrono::milliseconds(100);
  Duration pulse_interval = std::chrono::milliseconds(250);

  // The feed
  bool feed = true;
  Duration feed_interval = std::chrono::milliseconds(25);
  Duration feed_idle_interval = std::chrono::milliseconds(250);
  std::int64_t feed_slots = 1 << 20;

  // Writing
  std::int64_t write_batch = 256;
  std::int64_t write_lanes = 2;
  std::int64_t write_queue = 4096;
  Duration write_timeout = std::chrono::seconds(5);

  // Auditing
  Duration audit_interval = std::chrono::milliseconds(100);
  double audit_budget = 2;  // percent of the time; 0: no auditor
  bool selftest = true;
  Duration incident_retention = std::chrono::hours(24 * 30);

  // Feature flags
  std::string flags_address;  // host:port of the service; empty where there is none
  std::vector<FlagRule> flags;
  std::vector<std::string> cohorts;
  FlagsDown flags_down = FlagsDown::kLastKnown;
  Duration flags_timeout = std::chrono::milliseconds(250);
  std::int64_t flags_capacity = 100'000;

  // Witnesses outside the service
  std::vector<std::string> witnesses = {"storefront", "offline", "flags", "analytics"};
  std::int64_t testimony_queue = 8192;
  std::int64_t testimony_rows = 10'000;

  bool has_layer(std::string_view name) const;
};

using Environment = std::map<std::string, std::string, std::less<>>;

// The process's own.
Environment process_environment();

struct Loaded {
  // Set where the command line asked for a text (--help, --version, --print-config) instead of a
  // service: print it on standard output and exit with success. `config` is then not meaningful.
  std::optional<std::string> text;
  Config config;
};

// `version` is what --version prints. An error lists every mistake, one per line, fit to be shown
// to the person who made it; secrets are not in it.
absl::StatusOr<Loaded> load(int argc, const char* const* argv, const Environment& environment,
                            std::string_view version);

}  // namespace stock::config

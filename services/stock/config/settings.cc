#include "stock/config/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "stock/config/text.h"

namespace stock::config {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::array<std::string_view, 4> kLogLevels = {"debug", "info", "warn", "error"};
constexpr std::size_t kLongestInstance = 64;

// Builds the settings of one group.
class Group {
 public:
  Group(std::vector<Setting>& table, std::string_view name) : table_(table), name_(name) {}

  void duration(std::string_view key, milliseconds Config::*member, milliseconds min,
                milliseconds max, std::string_view help) {
    const std::string allowed =
        fmt::format("from {} to {}", print_duration(min), print_duration(max));
    Setting& setting = add(key, "DURATION", help, allowed);
    setting.read = [=](std::string_view text, Config& config) {
      const auto value = parse_duration(text);
      if (!value || *value < min || *value > max) {
        return absl::InvalidArgumentError(
            fmt::format("must be a duration {}, such as 250ms, 5s, 2m or 1h", allowed));
      }
      config.*member = *value;
      return absl::OkStatus();
    };
    setting.show = [=](const Config& config) { return print_duration(config.*member); };
  }

  void number(std::string_view key, std::int64_t Config::*member, std::int64_t min,
              std::int64_t max, std::string_view help) {
    const std::string allowed = fmt::format("from {} to {}", min, max);
    Setting& setting = add(key, "N", help, allowed);
    setting.shape = Shape::kNumber;
    setting.read = [=](std::string_view text, Config& config) {
      const auto value = parse_number(text);
      if (!value || *value < min || *value > max) {
        return absl::InvalidArgumentError(fmt::format("must be a whole number {}", allowed));
      }
      config.*member = *value;
      return absl::OkStatus();
    };
    setting.show = [=](const Config& config) { return std::to_string(config.*member); };
  }

  void bytes(std::string_view key, std::int64_t Config::*member, std::int64_t min, std::int64_t max,
             std::string_view help) {
    const std::string allowed = fmt::format("from {} to {}", print_bytes(min), print_bytes(max));
    Setting& setting = add(key, "SIZE", help, allowed);
    setting.read = [=](std::string_view text, Config& config) {
      const auto value = parse_bytes(text);
      if (!value || *value < min || *value > max) {
        return absl::InvalidArgumentError(
            fmt::format("must be a size {}, such as 4MiB, 512KiB or 65536", allowed));
      }
      config.*member = *value;
      return absl::OkStatus();
    };
    setting.show = [=](const Config& config) { return print_bytes(config.*member); };
  }

  void address(std::string_view key, Address Config::*member, std::string_view help) {
    Setting& setting = add(key, "HOST:PORT", help);
    setting.read = [=](std::string_view text, Config& config) {
      auto value = parse_address(text);
      if (!value.ok()) {
        return value.status();
      }
      config.*member = *std::move(value);
      return absl::OkStatus();
    };
    setting.show = [=](const Config& config) { return (config.*member).text(); };
  }

  // `check` judges a text that is not empty; empty means that there is none.
  void url(std::string_view key, std::string Config::*member,
           const std::function<absl::Status(std::string_view)>& check, std::string_view help) {
    Setting& setting = add(key, "URL", help);
    setting.secret = true;
    setting.read = [=](std::string_view text, Config& config) {
      absl::Status status = text.empty() ? absl::OkStatus() : check(text);
      if (status.ok()) {
        config.*member = std::string(text);
      }
      return status;
    };
    setting.show = [=](const Config& config) { return config.*member; };
  }

  Setting& add(std::string_view key, std::string_view value, std::string_view help,
               std::string allowed = {}) {
    return table_.emplace_back(Setting{
        .key = key, .group = name_, .value = value, .help = help, .allowed = std::move(allowed)});
  }

 private:
  std::vector<Setting>& table_;
  const std::string_view name_;
};

absl::Status read_instance(std::string_view text, Config& config) {
  const bool printable =
      std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (text.empty() || text.size() > kLongestInstance || !printable) {
    return absl::InvalidArgumentError(
        fmt::format("must be 1 to {} printable ASCII characters without blanks", kLongestInstance));
  }
  config.instance = std::string(text);
  return absl::OkStatus();
}

absl::Status read_log_level(std::string_view text, Config& config) {
  if (std::find(kLogLevels.begin(), kLogLevels.end(), text) == kLogLevels.end()) {
    return absl::InvalidArgumentError(
        fmt::format("must be one of {}", fmt::join(kLogLevels, ", ")));
  }
  config.log_level = std::string(text);
  return absl::OkStatus();
}

absl::Status read_layers(std::string_view text, Config& config) {
  absl::Status bad = absl::InvalidArgumentError(
      "must be some of memory, redis, replica and primary, each at most once, in this order, and "
      "primary always");
  const std::vector<std::string> known = Config().layers;
  std::vector<std::string> layers;
  auto next = known.begin();
  for (const std::string_view part : split(text)) {
    // Looking only behind the last one found refuses doubles and another order alike.
    next = std::find(next, known.end(), part);
    if (next == known.end()) {
      return bad;
    }
    layers.push_back(*next++);
  }
  if (layers.back() != "primary") {
    return bad;
  }
  config.layers = std::move(layers);
  return absl::OkStatus();
}

absl::Status check_redis_url(std::string_view url) { return parse_redis_url(url).status(); }

}  // namespace

std::string Setting::flag() const {
  std::string flag(key);
  std::replace(flag.begin(), flag.end(), '_', '-');
  return "--" + flag;
}

std::string Setting::variable() const { return std::string(kVariablePrefix) + upper_case(key); }

std::vector<Setting> settings() {
  std::vector<Setting> table;

  Group serving(table, "Serving");
  serving.address("listen", &Config::listen, "Where gRPC is served; port 0 takes any free one");
  serving.address("admin_listen", &Config::admin_listen,
                  "Where /metrics, /healthz and /readyz are served");
  Setting& instance = serving.add(
      "instance", "NAME", "How this process calls itself in answers, metrics and the ledger");
  instance.read = read_instance;
  instance.show = [](const Config& config) { return config.instance; };
  serving.bytes("max_message_bytes", &Config::max_message_bytes, 64 << 10, 64 << 20,
                "The largest gRPC message accepted");
  serving.number("max_concurrent_streams", &Config::max_concurrent_streams, 1, 100'000,
                 "Calls at a time per connection");
  serving.number("max_streams", &Config::max_streams, 1, 1'000'000,
                 "Watches and streams of movements at a time, of all connections");
  serving.duration("max_connection_age", &Config::max_connection_age, seconds(1), hours(24),
                   "When a connection is asked to begin anew, so that load spreads");
  serving.duration("keepalive_time", &Config::keepalive_time, seconds(1), hours(2),
                   "How long a connection may be silent before it is probed");
  serving.duration("drain_timeout", &Config::drain_timeout, milliseconds(0), minutes(10),
                   "How long accepted calls may take to end on SIGTERM");
  Setting& log_level = serving.add("log_level", "LEVEL", "The least that is logged",
                                   fmt::format("{}", fmt::join(kLogLevels, ", ")));
  log_level.read = read_log_level;
  log_level.show = [](const Config& config) { return config.log_level; };

  Group reading(table, "Reading");
  Setting& layers = reading.add(
      "layers", "LIST", "The layers to read, in this order; by default those that have a URL");
  layers.shape = Shape::kList;
  layers.read = read_layers;
  layers.show = [](const Config& config) {
    return fmt::format("{}", fmt::join(config.layers, ","));
  };
  reading.duration("max_staleness", &Config::max_staleness, milliseconds(1), hours(1),
                   "The bound on the age of reads that name none");
  reading.number("read_batch", &Config::read_batch, 1, 1024, "Keys per database read");
  reading.number("breaker_failures", &Config::breaker_failures, 1, 1000,
                 "Failures in a row after which a layer is left alone");
  reading.duration("breaker_open", &Config::breaker_open, milliseconds(10), minutes(5),
                   "How long it is left alone before it is tried again");

  Group memory(table, "Memory");
  memory.number("memory_capacity", &Config::memory_capacity, 1, 1'000'000'000,
                "Keys held in this process");
  memory.number("memory_shards", &Config::memory_shards, 1, 256, "Parts locked on their own");

  Group redis(table, "Redis");
  redis.url("redis_url", &Config::redis_url, check_redis_url,
            "The cache: redis://[user[:password]@]host[:port][/database]");
  redis.duration("redis_ttl", &Config::redis_ttl, seconds(1), hours(24 * 7),
                 "How long a copy is kept there");
  redis.duration("redis_timeout", &Config::redis_timeout, milliseconds(1), seconds(10),
                 "How long an answer may take");
  redis.number("redis_flights", &Config::redis_flights, 1, 64, "Batches under way at a time");
  redis.number("redis_batch", &Config::redis_batch, 1, 1024, "Keys per batch");

  Group postgres(table, "PostgreSQL");
  postgres.url("primary_url", &Config::primary_url, check_postgres_url,
               "The ledger (required): postgresql://user:password@host:port/database");
  postgres.url("replica_url", &Config::replica_url, check_postgres_url,
               "A streaming replica of it");
  postgres.number("primary_connections", &Config::primary_connections, 1, 64,
                  "Connections that read the primary");
  postgres.number("replica_connections", &Config::replica_connections, 1, 64,
                  "Connections that read the replica");
  postgres.duration("primary_timeout", &Config::primary_timeout, milliseconds(1), minutes(1),
                    "How long a read of the primary may take");
  postgres.duration("replica_timeout", &Config::replica_timeout, milliseconds(1), minutes(1),
                    "How long a read of the replica may take");
  postgres.duration("heartbeat_interval", &Config::heartbeat_interval, milliseconds(10),
                    seconds(10), "How often the leader writes a heartbeat");
  postgres.duration("pulse_interval", &Config::pulse_interval, milliseconds(10), seconds(10),
                    "How often the database's clock and identity are checked");

  Group feed(table, "The feed");
  Setting& on = feed.add("feed", "on|off",
                         "Follow the ledger, so that copies of what does not move stay current");
  on.read = [](std::string_view text, Config& config) {
    if (text != "on" && text != "off") return absl::InvalidArgumentError("must be on or off");
    config.feed = text == "on";
    return absl::OkStatus();
  };
  on.show = [](const Config& config) { return std::string(config.feed ? "on" : "off"); };
  feed.duration("feed_interval", &Config::feed_interval, milliseconds(1), seconds(10),
                "How often the ledger is asked what moved: the age of copies");
  feed.duration("feed_idle_interval", &Config::feed_idle_interval, milliseconds(1), minutes(1),
                "The same while nothing moves and nobody reads");
  feed.number("feed_slots", &Config::feed_slots, 1024, 1 << 28,
              "Recent moves remembered, 40 bytes each: the more, the longer copies in Redis stay "
              "provable");

  Group writing(table, "Writing");
  writing.number("write_batch", &Config::write_batch, 1, 1024, "Requests per transaction");
  writing.number("write_queue", &Config::write_queue, 1, 1'000'000,
                 "Requests that may wait before more are refused");
  writing.duration("write_timeout", &Config::write_timeout, milliseconds(10), minutes(1),
                   "How long a write may wait and take");

  Group auditing(table, "Auditing");
  auditing.duration("audit_interval", &Config::audit_interval, milliseconds(10), hours(1),
                    "How often keys are compared with the ledger");
  auditing.number("audit_keys", &Config::audit_keys, 0, 100'000,
                  "Keys compared each time; 0 switches the auditor off");
  return table;
}

}  // namespace stock::config

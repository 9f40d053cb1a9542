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
// Each is a label of metrics.
constexpr std::size_t kMostFlags = 16;
constexpr std::size_t kMostCohorts = 16;
constexpr std::array<std::string_view, 3> kFlagEffects = {"hide", "cap", "end-sale"};
constexpr std::array<std::string_view, 2> kFlagsDown = {"last-known", "unflagged"};
constexpr std::size_t kLongestWitness = 32;
constexpr std::size_t kMostWitnesses = 16;

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

  void on_off(std::string_view key, bool Config::*member, std::string_view help) {
    Setting& setting = add(key, "on|off", help);
    setting.read = [=](std::string_view text, Config& config) {
      if (text != "on" && text != "off") return absl::InvalidArgumentError("must be on or off");
      config.*member = text == "on";
      return absl::OkStatus();
    };
    setting.show = [=](const Config& config) { return std::string(config.*member ? "on" : "off"); };
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

// 1 to 64 printable ASCII characters without blanks.
bool is_name(std::string_view text) {
  const bool printable =
      std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  return !text.empty() && text.size() <= kLongestInstance && printable;
}

absl::Status read_instance(std::string_view text, Config& config) {
  if (!is_name(text)) {
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

absl::Status read_flags_address(std::string_view text, Config& config) {
  if (!text.empty()) {
    const auto address = parse_address(text);
    if (!address.ok()) return address.status();
    if (address->port == 0) return absl::InvalidArgumentError("must name a port");
  }
  config.flags_address = std::string(text);
  return absl::OkStatus();
}

absl::Status read_flags(std::string_view text, Config& config) {
  std::vector<FlagRule> rules;
  for (const std::string_view part : text.empty() ? std::vector<std::string_view>() : split(text)) {
    const std::size_t at = part.find('=');
    const std::string_view name = part.substr(0, at);
    const auto effect =
        at == std::string_view::npos
            ? kFlagEffects.end()
            : std::find(kFlagEffects.begin(), kFlagEffects.end(), part.substr(at + 1));
    const bool again = std::any_of(rules.begin(), rules.end(),
                                   [&](const FlagRule& rule) { return rule.flag == name; });
    if (!is_name(name) || effect == kFlagEffects.end() || again || rules.size() == kMostFlags) {
      return absl::InvalidArgumentError(
          fmt::format("must be up to {} different flags with what each does, such as "
                      "black-friday=cap, recalled=hide, sold-out=end-sale",
                      kMostFlags));
    }
    rules.push_back({std::string(name), static_cast<FlagEffect>(effect - kFlagEffects.begin())});
  }
  config.flags = std::move(rules);
  return absl::OkStatus();
}

std::string show_flags(const Config& config) {
  std::vector<std::string> parts;
  for (const FlagRule& rule : config.flags) {
    parts.push_back(
        fmt::format("{}={}", rule.flag, kFlagEffects[static_cast<std::size_t>(rule.effect)]));
  }
  return fmt::format("{}", fmt::join(parts, ","));
}

absl::Status read_cohorts(std::string_view text, Config& config) {
  std::vector<std::string> cohorts;
  for (const std::string_view name : text.empty() ? std::vector<std::string_view>() : split(text)) {
    const bool again = std::find(cohorts.begin(), cohorts.end(), name) != cohorts.end();
    if (!is_name(name) || again || cohorts.size() == kMostCohorts) {
      return absl::InvalidArgumentError(fmt::format(
          "must be up to {} different names of printable ASCII without blanks", kMostCohorts));
    }
    cohorts.emplace_back(name);
  }
  config.cohorts = std::move(cohorts);
  return absl::OkStatus();
}

absl::Status read_flags_down(std::string_view text, Config& config) {
  const auto found = std::find(kFlagsDown.begin(), kFlagsDown.end(), text);
  if (found == kFlagsDown.end()) {
    return absl::InvalidArgumentError(
        fmt::format("must be one of {}", fmt::join(kFlagsDown, ", ")));
  }
  config.flags_down = static_cast<FlagsDown>(found - kFlagsDown.begin());
  return absl::OkStatus();
}

// Each becomes the value of a label, so there are not many.
absl::Status read_witnesses(std::string_view text, Config& config) {
  std::vector<std::string> witnesses;
  for (const std::string_view name : split(text)) {
    const bool spelt = !name.empty() && name.size() <= kLongestWitness && name.front() >= 'a' &&
                       name.front() <= 'z' && std::all_of(name.begin(), name.end(), [](char c) {
                         return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
                       });
    if (!spelt || witnesses.size() >= kMostWitnesses ||
        std::find(witnesses.begin(), witnesses.end(), name) != witnesses.end()) {
      return absl::InvalidArgumentError(
          fmt::format("must be 1 to {} different names in lower snake case, of up to {} characters",
                      kMostWitnesses, kLongestWitness));
    }
    if (Config().has_layer(name)) {
      return absl::InvalidArgumentError("must not name a layer of the service");
    }
    witnesses.emplace_back(name);
  }
  config.witnesses = std::move(witnesses);
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
  serving.on_off(
      "share_port", &Config::share_port,
      "Serve gRPC beside other instances on the same port: the kernel spreads connections");
  serving.address("admin_listen", &Config::admin_listen,
                  "Where /metrics, /healthz, /readyz and /console/ are served");
  serving.on_off("console_changes", &Config::console_changes,
                 "Let the console switch layers and repair copies: for whoever reaches that port");
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
  reading.duration("overload_wait", &Config::overload_wait, milliseconds(1), minutes(1),
                   "While all reads or writes wait for this long before a database takes them, new "
                   "ones are refused");
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
  feed.on_off("feed", &Config::feed,
              "Follow the ledger, so that copies of what does not move stay current");
  feed.duration("feed_interval", &Config::feed_interval, milliseconds(1), seconds(10),
                "How often the ledger is asked what moved: the age of copies");
  feed.duration("feed_idle_interval", &Config::feed_idle_interval, milliseconds(1), minutes(1),
                "The same while nothing moves and nobody reads");
  feed.number("feed_slots", &Config::feed_slots, 1024, 1 << 28,
              "Recent moves remembered, 40 bytes each: the more, the longer copies in Redis stay "
              "provable");

  Group writing(table, "Writing");
  writing.number("write_batch", &Config::write_batch, 1, 1024, "Requests per transaction");
  writing.number("write_lanes", &Config::write_lanes, 1, 16,
                 "Transactions side by side, of different keys; one connection each");
  writing.number("write_queue", &Config::write_queue, 1, 1'000'000,
                 "Requests that may wait before more are refused");
  writing.duration("write_timeout", &Config::write_timeout, milliseconds(10), minutes(1),
                   "How long a write may wait and take");

  Group auditing(table, "Auditing");
  auditing.duration("audit_interval", &Config::audit_interval, milliseconds(10), hours(1),
                    "How often keys that moved or are read are compared with the ledger");
  Setting& budget =
      auditing.add("audit_budget", "PERCENT",
                   "Share of the time that may go into comparing; 0% switches the auditor off",
                   "from 0% to 100%");
  budget.read = [](std::string_view text, Config& config) {
    const auto value = parse_percent(text);
    if (!value) return absl::InvalidArgumentError("must be a share from 0% to 100%, such as 2%");
    config.audit_budget = *value;
    return absl::OkStatus();
  };
  budget.show = [](const Config& config) { return fmt::format("{}%", config.audit_budget); };
  auditing.on_off("selftest", &Config::selftest,
                  "Plant lies in made-up layers to see whether the auditor would find them");
  auditing.duration("incident_retention", &Config::incident_retention, minutes(1), hours(24 * 3650),
                    "How long incidents are kept after they were closed");

  Group flags(table, "Feature flags");
  Setting& address = flags.add("flags_address", "HOST:PORT",
                               "A flag service that speaks flagd's evaluation protocol");
  address.read = read_flags_address;
  address.show = [](const Config& config) { return config.flags_address; };
  Setting& rules =
      flags.add("flags", "LIST",
                "Its flags that say what a cohort sees, each with what it does: hide (a boolean "
                "flag), cap (an integer one; negative: no cap), end-sale (a boolean one)",
                fmt::format("NAME=EFFECT, up to {}", kMostFlags));
  rules.shape = Shape::kList;
  rules.read = read_flags;
  rules.show = show_flags;
  Setting& cohorts = flags.add("cohorts", "LIST", "Whose views are compared; others may ask too",
                               fmt::format("up to {}", kMostCohorts));
  cohorts.shape = Shape::kList;
  cohorts.read = read_cohorts;
  cohorts.show = [](const Config& config) {
    return fmt::format("{}", fmt::join(config.cohorts, ","));
  };
  Setting& down = flags.add("flags_down", "POLICY",
                            "What is told while the service does not answer: what it said last, "
                            "with its age, or what there is without flags",
                            fmt::format("{}", fmt::join(kFlagsDown, ", ")));
  down.read = read_flags_down;
  down.show = [](const Config& config) {
    return std::string(kFlagsDown[static_cast<std::size_t>(config.flags_down)]);
  };
  flags.duration("flags_timeout", &Config::flags_timeout, milliseconds(1), seconds(10),
                 "How long an evaluation may take, and a read may wait for it");
  flags.number("flags_capacity", &Config::flags_capacity, 1, 100'000'000,
               "Evaluations held: one per cohort, SKU and location");

  Group outside(table, "Witnesses outside");
  Setting& witnesses = outside.add(
      "witnesses", "LIST", "The layers outside the service that may testify, in lower snake case");
  witnesses.shape = Shape::kList;
  witnesses.read = read_witnesses;
  witnesses.show = [](const Config& config) {
    return fmt::format("{}", fmt::join(config.witnesses, ","));
  };
  outside.number("testimony_queue", &Config::testimony_queue, 1000, 1'000'000,
                 "Testimonies that may wait to be judged before more are refused");
  outside.number("testimony_rows", &Config::testimony_rows, 1, 10'000'000,
                 "Testimonies kept of each witness, the last of each instance and key");
  return table;
}

}  // namespace stock::config

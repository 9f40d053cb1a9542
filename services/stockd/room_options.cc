#include "stockd/room_options.h"

#include <fmt/format.h>

#include "stock/config/endpoints.h"
#include "stock/postgres/schema.h"
#include "stock/telemetry/log.h"

namespace stockd {

using namespace stock;  // NOLINT(google-build-using-namespace): this file is where all rooms meet

postgres::SessionOptions session_options(const config::Config& config,
                                         feed::LedgerIdentity& identity, const std::string& url,
                                         std::chrono::milliseconds timeout) {
  return {.url = url,
          .application_name = "stockd " + config.instance,
          .statement_timeout = timeout,
          .hang_limit = 2 * timeout + kHangMargin,
          .accept = [&identity](postgres::Connection& connection) {
            return postgres::check_database(connection, identity);
          }};
}

postgres::SessionOptions testimony_session_options(const config::Config& config,
                                                   feed::LedgerIdentity& identity) {
  postgres::SessionOptions options =
      session_options(config, identity, config.primary_url, config.primary_timeout);
  options.settings.emplace_back("synchronous_commit", "off");
  return options;
}

absl::Status check_sessions(const config::Config& config, const postgres::Knowledge& knowledge,
                            clock::Timers& timers) {
  postgres::SessionOptions options =
      session_options(config, knowledge.identity, config.primary_url, config.primary_timeout);
  options.accept = {};
  postgres::Session session(options, knowledge.local, timers);
  postgres::Session other(options, knowledge.local, timers);
  return postgres::check_sessions(session, other);
}

redis::RedisOptions redis_options(const config::Config& config) {
  const auto endpoint = config::parse_redis_url(config.redis_url).value();  // validated by load()
  return {.host = endpoint.address.host,
          .port = endpoint.address.port,
          .user = endpoint.user,
          .password = endpoint.password,
          .db = endpoint.database,
          .ttl = config.redis_ttl,
          .timeout = config.redis_timeout,
          .on_connection = [](bool connected, const std::string& why) {
            if (connected) {
              telemetry::log_info("redis is connected");
            } else {
              telemetry::log_warn("redis is not connected", {{"error", why}});
            }
          }};
}

postgres::Heart::Options heart_options(const config::Config& config,
                                       feed::LedgerIdentity& identity) {
  return {.session = session_options(config, identity, config.primary_url, config.primary_timeout),
          .heartbeat_interval = config.heartbeat_interval,
          .pulse_interval = config.pulse_interval,
          .pulse = !config.feed,
          .on_change = [](const postgres::Heart::State& state) {
            telemetry::log_info("the primary's state has changed",
                                {{"reachable", state.primary_reachable},
                                 {"leader", state.leads},
                                 {"error", state.error}});
          }};
}

layers::SettingKeeper::Options setting_options() {
  return {.changed =
              [](const layers::Setting& before, const layers::Setting& now) {
                const bool switched = before.enabled != now.enabled;
                const layers::Setting::Change& change = switched ? now.switched : now.repair_set;
                telemetry::log_info("a layer's setting has changed",
                                    {{"layer", now.layer},
                                     {"enabled", now.enabled},
                                     {"repair", layers::policy_name(now.repair)},
                                     {"actor", change.actor},
                                     {"reason", change.reason}});
              },
          .failed =
              [](const std::string& error) {
                telemetry::log_warn("the settings of the layers cannot be asked for; they stay",
                                    {{"error", error}});
              }};
}

rpc::Server::Options server_options(const config::Config& config) {
  return {.address = fmt::format("{}:{}", config.listen.host, config.listen.port),
          .share_port = config.share_port,
          .max_message_bytes = static_cast<int>(config.max_message_bytes),
          .max_concurrent_streams = static_cast<int>(config.max_concurrent_streams),
          .max_connection_age = config.max_connection_age,
          .keepalive_time = config.keepalive_time,
          .max_streams = static_cast<std::size_t>(config.max_streams)};
}

}  // namespace stockd

// What the rooms that talk to other machines are told, by the configuration.
#pragma once

#include <chrono>
#include <string>

#include "absl/status/status.h"
#include "stock/clock/timers.h"
#include "stock/config/config.h"
#include "stock/feed/ledger_identity.h"
#include "stock/layers/setting_keeper.h"
#include "stock/postgres/asker.h"
#include "stock/postgres/heart.h"
#include "stock/postgres/session.h"
#include "stock/redis/redis_layer.h"
#include "stock/rpc/server.h"

namespace stockd {

// A statement that its server does not end is cut off after this much more than its timeout.
inline constexpr std::chrono::milliseconds kHangMargin{1000};

// No connection is used that does not lead to a ledger which this program may use.
stock::postgres::SessionOptions session_options(const stock::config::Config& config,
                                                stock::feed::LedgerIdentity& identity,
                                                const std::string& url,
                                                std::chrono::milliseconds timeout);
// What is kept of testimonies is told again: not worth waiting for the disk.
stock::postgres::SessionOptions testimony_session_options(const stock::config::Config& config,
                                                          stock::feed::LedgerIdentity& identity);
// A connection that is accepted nowhere is of no use to find out why.
absl::Status check_sessions(const stock::config::Config& config,
                            const stock::postgres::Knowledge& knowledge,
                            stock::clock::Timers& timers);
stock::redis::RedisOptions redis_options(const stock::config::Config& config);
stock::postgres::Heart::Options heart_options(const stock::config::Config& config,
                                              stock::feed::LedgerIdentity& identity);
stock::layers::SettingKeeper::Options setting_options();
stock::rpc::Server::Options server_options(const stock::config::Config& config);

}  // namespace stockd

// Copies put into Redis through its back door, as a broken process might leave them.
#pragma once

#include <gtest/gtest.h>
#include <hiredis/hiredis.h>

#include <chrono>
#include <string>

#include "stock/redis/codec.h"
#include "support/postgres_server.h"
#include "support/redis_server.h"

namespace stock {

// Binary values do not fit through a command line.
inline void plant(support::RedisServer& redis, const domain::Key& key,
                  const domain::Reading& reading) {
  redisContext* context = redisConnect("127.0.0.1", redis.port());
  ASSERT_EQ(context->err, 0);
  const std::string name = redis::encode_key(reading.incarnation, key);
  const std::string value = redis::encode_value(key, reading);
  auto* reply = static_cast<redisReply*>(
      redisCommand(context, "SET %b %b", name.data(), name.size(), value.data(), value.size()));
  ASSERT_NE(reply, nullptr);
  EXPECT_STREQ(reply->str, "OK");
  freeReplyObject(reply);
  redisFree(context);
}

// A copy as an honest process would have left it just now. Of a version that there is not yet: as
// if it had just been committed.
inline domain::Reading copy(support::PostgresServer& primary, const domain::Key& key,
                            domain::Version version, std::int64_t on_hand) {
  support::Sql sql = primary.connect();
  const auto instant = [&](const std::string& expression) {
    return domain::DatabaseTime(std::chrono::microseconds(
        sql.number("SELECT (extract(epoch FROM " + expression + ") * 1000000)::bigint")));
  };
  const std::string committed =
      "(SELECT pg_xact_commit_timestamp(xmin) FROM stock.movement WHERE sku = '" + key.sku +
      "' AND location = '" + key.location + "' AND version = " + std::to_string(version) + ")";
  return {.exists = true,
          .version = version,
          .counts = {.on_hand = on_hand},
          .as_of = instant("coalesce(" + committed + ", clock_timestamp())"),
          .true_through = instant("clock_timestamp()"),
          .incarnation =
              static_cast<domain::Incarnation>(sql.number("SELECT id FROM stock.incarnation")),
          .heartbeat = sql.number("SELECT max(number) FROM stock.heartbeat")};
}

}  // namespace stock

#pragma once

// The parts of addresses and URLs, as values.

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace stock::config {

struct Address {
  std::string host;        // without the brackets of an IPv6 literal
  std::uint16_t port = 0;  // 0: any free one

  // "127.0.0.1:7070", "[::1]:7070".
  std::string text() const;

  friend bool operator==(const Address&, const Address&) = default;
};

absl::StatusOr<Address> parse_address(std::string_view text);

struct RedisEndpoint {
  Address address;
  std::string user;      // empty: the default user
  std::string password;  // empty: none
  int database = 0;

  friend bool operator==(const RedisEndpoint&, const RedisEndpoint&) = default;
};

// redis://[user[:password]@]host[:port][/database], user and password percent-decoded. The error
// never holds the text, which may hold a password.
absl::StatusOr<RedisEndpoint> parse_redis_url(std::string_view url);

// Is this a URL or a keyword string that libpq takes? (libpq itself has the last word.) The error
// never holds the text.
absl::Status check_postgres_url(std::string_view url);

}  // namespace stock::config

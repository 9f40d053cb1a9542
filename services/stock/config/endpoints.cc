#include "stock/config/endpoints.h"

#include <fmt/format.h>

#include <optional>

#include "absl/status/status.h"
#include "stock/config/text.h"

namespace stock::config {
namespace {

constexpr std::uint16_t kRedisPort = 6379;
constexpr std::int64_t kLastDatabase = 65535;

std::optional<std::uint16_t> parse_port(std::string_view text) {
  const auto port = parse_number(text);
  return port && *port >= 0 && *port <= 65535 ? std::optional(static_cast<std::uint16_t>(*port))
                                              : std::nullopt;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    if (i + 2 >= text.size() || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0) {
      return std::nullopt;
    }
    decoded += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
    i += 2;
  }
  return decoded;
}

absl::Status bad_redis_url(std::string_view why) {
  return absl::InvalidArgumentError(
      fmt::format("must be redis://[user[:password]@]host[:port][/database] ({})", why));
}

}  // namespace

std::string Address::text() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

absl::StatusOr<Address> parse_address(std::string_view text) {
  const absl::Status bad = absl::InvalidArgumentError(
      "must be host:port, such as 127.0.0.1:7070 or [::1]:7070, with a port from 0 (any) to 65535");
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return bad;
  }
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) {
    host = host.substr(1, host.size() - 2);
  }
  const auto port = parse_port(text.substr(colon + 1));
  if (!port || host.empty() || host.find_first_of("[]/@ \t\r\n") != std::string_view::npos ||
      bracketed != (host.find(':') != std::string_view::npos)) {
    return bad;
  }
  return Address{.host = std::string(host), .port = *port};
}

absl::StatusOr<RedisEndpoint> parse_redis_url(std::string_view url) {
  if (url.starts_with("rediss://")) {
    return bad_redis_url("TLS to Redis is not supported");
  }
  constexpr std::string_view kScheme = "redis://";
  if (!url.starts_with(kScheme)) {
    return bad_redis_url("it must begin with redis://");
  }
  url.remove_prefix(kScheme.size());
  RedisEndpoint endpoint;
  if (const std::size_t at = url.rfind('@'); at != std::string_view::npos) {
    const std::string_view credentials = url.substr(0, at);
    url.remove_prefix(at + 1);
    const std::size_t colon = credentials.find(':');
    const auto user = percent_decoded(credentials.substr(0, colon));
    const auto password = colon == std::string_view::npos
                              ? std::string()
                              : percent_decoded(credentials.substr(colon + 1));
    if (!user || !password) {
      return bad_redis_url("'%' in user and password must be followed by two hexadecimal digits");
    }
    endpoint.user = *user;
    endpoint.password = *password;
  }
  if (const std::size_t slash = url.find('/'); slash != std::string_view::npos) {
    const std::string_view text = url.substr(slash + 1);
    url = url.substr(0, slash);
    const auto database = text.empty() ? 0 : parse_number(text);
    if (!database || *database < 0 || *database > kLastDatabase) {
      return bad_redis_url("the database is a number");
    }
    endpoint.database = static_cast<int>(*database);
  }
  const bool has_port = !url.ends_with(']') && url.find(':') != std::string_view::npos;
  const auto address =
      parse_address(has_port ? std::string(url) : fmt::format("{}:{}", url, kRedisPort));
  if (!address.ok() || address->port == 0) {
    return bad_redis_url("host or port is malformed");
  }
  endpoint.address = *address;
  return endpoint;
}

absl::Status check_postgres_url(std::string_view url) {
  const bool uri = url.starts_with("postgresql://") || url.starts_with("postgres://");
  const bool keywords =
      url.find("://") == std::string_view::npos && url.find('=') != std::string_view::npos;
  if (uri || keywords) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "must be postgresql://user:password@host:port/database, or host=... dbname=... as libpq "
      "takes it");
}

}  // namespace stock::config

#include "stock/postgres/dsn.h"

#include <fmt/format.h>

namespace stock::postgres {
namespace {

std::string percent_encoded(std::string_view value) {
  std::string encoded;
  for (const char c : value) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

std::string quoted(std::string_view value) {
  std::string text = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') text += '\\';
    text += c;
  }
  return text + '\'';
}

bool sets(std::string_view query, std::string_view name) {
  const std::string assignment = fmt::format("{}=", name);
  for (std::size_t at = query.find(assignment); at != query.npos;
       at = query.find(assignment, at + 1)) {
    if (at == 0 || query[at - 1] == '&') return true;
  }
  return false;
}

}  // namespace

std::string dsn_with_defaults(std::string_view url,
                              const std::vector<std::pair<std::string, std::string>>& defaults) {
  if (url.find("://") == url.npos) {  // keywords, of which the last one counts
    std::string dsn;
    for (const auto& [name, value] : defaults) dsn += fmt::format("{}={} ", name, quoted(value));
    return dsn.append(url);
  }
  std::string dsn(url);
  const std::size_t mark = url.find('?');
  const std::string_view query = mark == url.npos ? "" : url.substr(mark + 1);
  char separator = mark == url.npos ? '?' : '&';
  for (const auto& [name, value] : defaults) {
    if (sets(query, name)) continue;
    dsn += fmt::format("{}{}={}", separator, name, percent_encoded(value));
    separator = '&';
  }
  return dsn;
}

}  // namespace stock::postgres

#include "stock/config/redact.h"

#include <fmt/format.h>

#include <algorithm>

#include "stock/config/text.h"

namespace stock::config {
namespace {

constexpr std::string_view kScheme = "://";

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Hides user:password@ up to the last '@' before the query, since a password that should have been
// percent-encoded may hold '@' and '/' itself.
std::string without_userinfo_password(std::string_view url) {
  const std::size_t scheme = url.find(kScheme);
  if (scheme == std::string_view::npos) {
    return std::string(url);
  }
  const std::size_t begin = scheme + kScheme.size();
  const std::size_t at = url.rfind('@');
  const std::size_t colon = url.find(':', begin);
  if (at == std::string_view::npos || at < begin || colon == std::string_view::npos || colon > at) {
    return std::string(url);
  }
  return fmt::format("{}{}{}", url.substr(0, colon + 1), kRedacted, url.substr(at));
}

// The end of the value that begins at `begin`: of a query parameter at '&', of a keyword's value at
// a blank, unless it is quoted.
std::size_t value_end(std::string_view text, std::size_t begin, bool query) {
  const bool quoted = !query && begin < text.size() && text[begin] == '\'';
  for (std::size_t i = begin + (quoted ? 1 : 0); i < text.size(); ++i) {
    if (!query && text[i] == '\\') {
      ++i;
    } else if (quoted ? text[i] == '\'' : query ? text[i] == '&' : is_space(text[i])) {
      return quoted ? i + 1 : i;
    }
  }
  return text.size();
}

std::string without_password_values(std::string_view text) {
  const bool query = text.find(kScheme) != std::string_view::npos;
  const std::string lower = lower_case(text);
  constexpr std::string_view kWord = "password";
  std::string out;
  std::size_t copied = 0;
  for (std::size_t at = lower.find(kWord); at != std::string::npos; at = lower.find(kWord, at)) {
    at += kWord.size();
    std::size_t begin = at;
    const auto skip_blanks = [&] {
      while (!query && begin < text.size() && is_space(text[begin])) ++begin;
    };
    skip_blanks();
    if (begin >= text.size() || text[begin] != '=') {
      continue;
    }
    ++begin;
    skip_blanks();
    out.append(text.substr(copied, begin - copied)).append(kRedacted);
    copied = at = std::min(value_end(text, begin, query), text.size());
  }
  return out.append(text.substr(copied));
}

}  // namespace

std::string redact(std::string_view url) {
  return without_password_values(without_userinfo_password(url));
}

}  // namespace stock::config

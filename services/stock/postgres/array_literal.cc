#include "stock/postgres/array_literal.h"

#include <utility>

namespace stock::postgres {

void ArrayLiteral::add(std::string_view text) {
  separate();
  text_ += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') text_ += '\\';
    text_ += c;
  }
  text_ += '"';
}

void ArrayLiteral::add(std::int64_t number) {
  separate();
  text_ += std::to_string(number);
}

std::string ArrayLiteral::take() {
  text_ += '}';
  std::string literal = std::move(text_);
  text_.assign(1, '{');
  return literal;
}

void ArrayLiteral::separate() {
  if (text_.size() > 1) text_ += ',';
}

}  // namespace stock::postgres

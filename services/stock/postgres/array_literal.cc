#include "stock/postgres/array_literal.h"

#include <utility>

namespace stock::postgres {

void ArrayLiteral::add(std::string_view text) {
  separate();
  text_ += '"';
  // What needs no backslash, as nearly everything does, goes in one piece.
  for (std::size_t at = 0; (at = text.find_first_of("\"\\")) != text.npos;) {
    text_ += text.substr(0, at);
    text_ += '\\';
    text_ += text[at];
    text.remove_prefix(at + 1);
  }
  text_ += text;
  text_ += '"';
}

void ArrayLiteral::add(std::int64_t number) {
  separate();
  text_ += std::to_string(number);
}

void ArrayLiteral::add_null() {
  separate();
  text_ += "NULL";
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

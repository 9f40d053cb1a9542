// PostgreSQL's text form of an array, element by element: how a set of rows travels as one
// parameter per column.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace stock::postgres {

class ArrayLiteral {
 public:
  // Any text, in quotes: commas, braces, quotes, backslashes and "NULL" mean themselves.
  void add(std::string_view text);
  void add(std::int64_t number);
  void add_null();
  // Closes the array and hands it over.
  std::string take();

 private:
  void separate();

  std::string text_ = "{";
};

}  // namespace stock::postgres

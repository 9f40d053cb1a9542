// A statement of this room: its text, and the name under which connections prepare it. Statements
// are compared by address; each exists once, for as long as the process.
#pragma once

#include <string>

namespace stock::postgres {

struct Statement {
  std::string name;
  std::string text;
};

}  // namespace stock::postgres

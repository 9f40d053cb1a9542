#pragma once

#include <ostream>

namespace stockctl {

// The whole program: understands the command line, does what it says, and returns the exit code.
int run(int argc, const char* const* argv, std::ostream& out, std::ostream& err);

}  // namespace stockctl

// The command line client, run in this process.
#pragma once

#include <string>
#include <vector>

namespace stock::support {

// Its exit code; both its outputs into `text`.
int stockctl(std::vector<std::string> words, std::string& text);

}  // namespace stock::support

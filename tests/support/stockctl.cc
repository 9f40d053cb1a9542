#include "support/stockctl.h"

#include <sstream>

#include "stockctl/cli/command_line.h"

namespace stock::support {

int stockctl(std::vector<std::string> words, std::string& text) {
  std::vector<const char*> arguments = {"stockctl"};
  for (const std::string& word : words) arguments.push_back(word.c_str());
  std::ostringstream out;
  const int code = ::stockctl::run(static_cast<int>(arguments.size()), arguments.data(), out, out);
  text = out.str();
  return code;
}

}  // namespace stock::support

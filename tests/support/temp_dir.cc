#include "support/temp_dir.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>

namespace stock::support {

TempDir::TempDir() {
  std::string name = std::filesystem::temp_directory_path() / "stock-test-XXXXXX";
  if (mkdtemp(name.data()) == nullptr || chmod(name.c_str(), 0755) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot make " + name);
  }
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored;  // a server that is just ending may still make files
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace stock::support

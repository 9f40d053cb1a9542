// Where things are in this checkout and in this build.
#pragma once

#include <filesystem>

namespace stock::support {

inline std::filesystem::path source_dir() { return STOCK_SOURCE_DIR; }
inline std::filesystem::path local_script(const char* name) {
  return source_dir() / "deploy/local" / name;
}

}  // namespace stock::support

// A folder for the files of one test, removed with everything in it when the object dies.
//
// Anyone may enter it: when the tests run as root, PostgreSQL runs as user postgres.
#pragma once

#include <filesystem>

namespace stock::support {

class TempDir {
 public:
  // Under $TMPDIR, or else /tmp.
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace stock::support

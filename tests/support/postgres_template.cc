#include "support/postgres_template.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/loopback.h"
#include "support/paths.h"
#include "support/postgres_server.h"
#include "support/temp_dir.h"

namespace stock::support {
namespace {

namespace fs = std::filesystem;

std::string content_hash() {
  std::vector<fs::path> files = {local_script("postgres"), local_script("postgresql.conf"),
                                 local_script("migrate")};
  for (const auto& entry : fs::recursive_directory_iterator(source_dir() / "deploy/postgres")) {
    if (entry.is_regular_file()) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  std::string contents;
  for (const fs::path& path : files) {
    std::ifstream file(path, std::ios::binary);
    contents += path.filename().native() + '\n';
    contents.append(std::istreambuf_iterator<char>(file), {});
  }
  return fmt::format("{:016x}", std::hash<std::string>()(contents));
}

// Held until the descriptor is closed.
Fd lock(const fs::path& path) {
  Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd || flock(fd.get(), LOCK_EX) != 0) {
    throw std::runtime_error("cannot lock " + path.native());
  }
  return fd;
}

// Anyone can make a folder of any name in /tmp.
bool is_our_folder(const fs::path& path) {
  struct stat status {};
  return lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid();
}

}  // namespace

fs::path postgres_template() {
  const fs::path home = fs::temp_directory_path() /
                        fmt::format("stock-test-cluster-{}-{}", geteuid(), content_hash());
  const Fd held = lock(home.native() + ".lock");
  if (!fs::exists(home)) {
    const TempDir making;
    PostgresServer::make_cluster(making.path() / "data");
    fs::create_directory(making.path() / "home");
    fs::rename(making.path() / "data", making.path() / "home/data");
    fs::rename(making.path() / "home", home);
  }
  if (!is_our_folder(home)) {
    throw std::runtime_error(home.native() + " belongs to somebody else");
  }
  return home / "data";
}

}  // namespace stock::support

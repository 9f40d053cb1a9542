#include "stock/telemetry/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <string>

namespace stock::telemetry {
namespace {

// Numbered as in proc(5).
enum class StatField { kThreads = 20, kStartTime = 22, kVirtualBytes = 23, kResidentPages = 24 };

double stat_field(StatField wanted) {
  std::ifstream file("/proc/self/stat");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  // The second field is the program's name in parentheses and may itself hold blanks and
  // parentheses; what follows the last one is regular.
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) {
    throw std::runtime_error("/proc/self/stat cannot be read");
  }
  std::istringstream rest(text.substr(name_end + 1));
  std::string field;
  for (int number = 3; rest >> field; ++number) {
    if (number == static_cast<int>(wanted)) {
      return std::stod(field);
    }
  }
  throw std::runtime_error("/proc/self/stat is too short");
}

double boot_time_seconds() {
  std::ifstream file("/proc/stat");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("btime ")) {
      return std::stod(line.substr(6));
    }
  }
  throw std::runtime_error("/proc/stat tells no boot time");
}

double cpu_seconds() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

double open_fds() {
  const std::filesystem::directory_iterator files("/proc/self/fd");
  // The listing itself holds one open.
  return static_cast<double>(std::distance(begin(files), end(files))) - 1;
}

double max_fds() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur == RLIM_INFINITY ? std::numeric_limits<double>::infinity()
                                         : static_cast<double>(limit.rlim_cur);
}

}  // namespace

void add_process_metrics(Metrics& metrics) {
  metrics.counter_callback("process_cpu_seconds_total",
                           "Total user and system CPU time spent in seconds.", {}, cpu_seconds);
  metrics.gauge_callback("process_open_fds", "Number of open file descriptors.", {}, open_fds);
  metrics.gauge_callback("process_max_fds", "Maximum number of open file descriptors.", {},
                         max_fds);
  metrics.gauge_callback("process_virtual_memory_bytes", "Virtual memory size in bytes.", {},
                         [] { return stat_field(StatField::kVirtualBytes); });
  metrics.gauge_callback("process_resident_memory_bytes", "Resident memory size in bytes.", {},
                         [page = static_cast<double>(sysconf(_SC_PAGESIZE))] {
                           return stat_field(StatField::kResidentPages) * page;
                         });
  metrics.gauge_callback("process_threads", "Number of operating system threads.", {},
                         [] { return stat_field(StatField::kThreads); });
  metrics.gauge_callback("process_start_time_seconds",
                         "Start time of the process since the Unix epoch in seconds.", {},
                         [ticks = static_cast<double>(sysconf(_SC_CLK_TCK))] {
                           return boot_time_seconds() + stat_field(StatField::kStartTime) / ticks;
                         });
}

}  // namespace stock::telemetry

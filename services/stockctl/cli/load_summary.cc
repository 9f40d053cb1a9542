#include "stockctl/cli/load_summary.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "stockctl/rpc/retry.h"
#include "stockctl/text/format.h"

namespace stockctl {
namespace {

double seconds_of(const LoadSummary& summary) {
  return std::chrono::duration<double>(summary.time).count();
}

double rate_of(const LoadSummary& summary) {
  return static_cast<double>(summary.done) / std::max(seconds_of(summary), 1e-9);
}

void print_json(std::ostream& out, const LoadSummary& summary) {
  nlohmann::ordered_json json;
  json["command"] = summary.what;
  json["file"] = summary.file;
  json[summary.unit] = summary.total;
  for (const auto& [name, count] : summary.counts) {
    std::string key = name;
    std::replace(key.begin(), key.end(), ' ', '_');
    json[key] = count;
  }
  json["finished"] = summary.stopped.ok();
  json["seconds"] = seconds_of(summary);
  json[summary.unit + "_per_second"] = rate_of(summary);
  out << json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
}

void print_text(std::ostream& out, const LoadSummary& summary) {
  out << summary.what << " of " << summary.file << ": " << format_count(summary.done) << " of "
      << format_count(summary.total) << ' ' << summary.unit << " in "
      << format_duration(summary.time) << ", "
      << format_count(static_cast<std::int64_t>(rate_of(summary))) << "/s\n";
  std::size_t width = 0;
  for (const auto& [name, count] : summary.counts) width = std::max(width, name.size());
  for (const auto& [name, count] : summary.counts) {
    out << "  " << name << std::string(width - name.size() + 2, ' ') << format_count(count) << '\n';
  }
}

}  // namespace

ExitCode show_summary(Session& session, const LoadSummary& summary) {
  if (session.json) {
    print_json(session.out(), summary);
  } else {
    print_text(session.out(), summary);
  }
  session.out().flush();
  if (summary.stopped.ok()) return summary.faults > 0 ? kBadLines : kOk;
  const ExitCode code =
      absl::IsCancelled(summary.stopped) ? kInterrupted : session.fail(summary.stopped);
  if (!session.json && (code == kInterrupted || worth_retrying(summary.stopped))) {
    session.err() << "Stopped before the end. The same command takes it up from there.\n";
  }
  return code;
}

}  // namespace stockctl

#include "stockctl/ledger/checks.h"

#include "stockctl/ledger/fsck_sql.h"

namespace stockctl {
namespace {

constexpr std::string_view kHeading = "\n-- check ";

// Without what stands around the query.
std::string_view query_of(std::string_view text) {
  const std::size_t end = text.rfind(';');
  return text.substr(0, end);
}

}  // namespace

std::vector<Check> parse_checks(std::string_view text) {
  std::vector<Check> checks;
  std::size_t at = text.find(kHeading);
  while (at != std::string_view::npos) {
    const std::size_t next = text.find(kHeading, at + 1);
    const std::string_view part = text.substr(at + kHeading.size(), next - at - kHeading.size());
    const std::size_t line = part.find('\n');
    const std::string_view heading = part.substr(0, line);
    const std::size_t colon = heading.find(": ");
    checks.push_back({.name = std::string(heading.substr(0, colon)),
                      .invariant = std::string(heading.substr(colon + 2)),
                      .query = std::string(query_of(part.substr(line + 1)))});
    at = next;
  }
  return checks;
}

const std::vector<Check>& ledger_checks() {
  static const std::vector<Check> checks = parse_checks(kFsckSql);
  return checks;
}

}  // namespace stockctl

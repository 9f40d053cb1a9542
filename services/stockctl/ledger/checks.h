// The invariants of a ledger, as deploy/postgres/fsck.sql has them. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace stockctl {

struct Check {
  std::string name;       // "level_is_newest_movement"
  std::string invariant;  // what is to be so
  // A query whose rows contradict it: subject, sentence, and perhaps sku (NULL: cannot be
  // repaired), location, reserved, committed and earliest_expire_at, as they are to be.
  std::string query;
};

// `text` as that file is written.
std::vector<Check> parse_checks(std::string_view text);
// Those of the file, which is built in.
const std::vector<Check>& ledger_checks();

}  // namespace stockctl

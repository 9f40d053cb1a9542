// What libpq is told: an operator's URL, and what it does not say itself.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stock::postgres {

// `url` (or a keyword string) with those of `defaults` that it does not set itself.
std::string dsn_with_defaults(std::string_view url,
                              const std::vector<std::pair<std::string, std::string>>& defaults);

}  // namespace stock::postgres

// Page tokens: opaque to clients, checked when they come back. A token belongs to the query that it
// was made for; with another one, or damaged, it is refused.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stock::rpc {

// `query`: what the listing was asked, its method included. `position`: where the next page begins.
std::string make_page_token(std::string_view query, const std::vector<std::string>& position);
// The position, with as many parts as it was made of.
std::optional<std::vector<std::string>> read_page_token(std::string_view query,
                                                        std::string_view token);

}  // namespace stock::rpc

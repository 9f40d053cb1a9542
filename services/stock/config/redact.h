#pragma once

#include <string>
#include <string_view>

namespace stock::config {

inline constexpr std::string_view kRedacted = "***";

// A connection URL or libpq keyword string with its passwords replaced by ***: in the user part of
// a URL, and in `password=` and `sslpassword=` of a query or keyword string. Where a part could be
// read two ways, rather more is hidden than less.
std::string redact(std::string_view url);

}  // namespace stock::config

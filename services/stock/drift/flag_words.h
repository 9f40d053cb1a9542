// What flags make of a level, in words for people. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>

#include "stock/domain/flags.h"

namespace stock::drift {

// "flag black-friday, variant capped (TARGETING_MATCH): cohort beta sees 5 of 120"; or that no flag
// changes anything.
[[nodiscard]] std::string flag_words(const std::string& cohort, std::span<const domain::Flag> flags,
                                     const domain::FlagsSaid& said, const domain::Flagged& view,
                                     std::int64_t available);

}  // namespace stock::drift

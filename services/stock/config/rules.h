#pragma once

// What must hold between settings, once each one is valid on its own.

#include <string>
#include <vector>

#include "stock/config/config.h"

namespace stock::config {

// Leaves out layers that have no URL, unless `layers_named`: then they are mistakes. Returns every
// mistake, as a line for a person.
std::vector<std::string> apply_rules(Config& config, bool layers_named);

}  // namespace stock::config

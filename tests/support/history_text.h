// The words of the history checker's sentences.
#pragma once

#include <chrono>
#include <string>

#include "support/history.h"

namespace stock::support {

std::string text(const domain::Key& key);
std::string text(const domain::Counts& counts);
std::string text(domain::DatabaseTime time);  // time of day, to the microsecond
std::string text(std::chrono::microseconds time);
std::string text(const LedgerMovement& movement);
std::string text(const Statement& said);

}  // namespace stock::support

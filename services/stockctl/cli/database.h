#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "stockctl/cli/cli11.h"

namespace stockctl {

class Session;

// What the commands that work on the database itself share.

// --database-url, which is required, with DATABASE_URL as default.
void add_database_url(CLI::App& app, std::string& url, const std::string& help);

// Asks `question` on the terminal, unless `yes`. Without a person to ask: INVALID_ARGUMENT.
absl::StatusOr<bool> confirmed(bool yes, const std::string& question, Session& session);

// Says that the database cannot be reached, by the status of connecting to it.
void print_unreachable(const absl::Status& status, Session& session);

}  // namespace stockctl

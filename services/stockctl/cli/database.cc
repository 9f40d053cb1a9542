#include "stockctl/cli/database.h"

#include <unistd.h>

#include <CLI/App.hpp>
#include <iostream>

#include "stockctl/cli/session.h"
#include "stockctl/text/concat.h"
#include "stockctl/text/terminal.h"
#include "stockctl/text/utf8.h"

namespace stockctl {

void add_database_url(CLI::App& app, std::string& url, const std::string& help) {
  app.add_option("--database-url", url, help)
      ->required()
      ->envname("DATABASE_URL")
      ->type_name("URL");
}

absl::StatusOr<bool> confirmed(bool yes, const std::string& question, Session& session) {
  if (yes) return true;
  if (!is_terminal(STDIN_FILENO)) {
    return absl::InvalidArgumentError("there is nobody to ask here: say --yes");
  }
  session.err() << question << " [y/N] " << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == "y" || answer == "yes") return true;
  session.err() << "Nothing was changed.\n";
  return false;
}

void print_unreachable(const absl::Status& status, Session& session) {
  session.err() << "stockctl: no database can be reached there: " << printable(message_of(status))
                << '\n';
}

}  // namespace stockctl

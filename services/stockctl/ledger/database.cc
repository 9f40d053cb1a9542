#include "stockctl/ledger/database.h"

#include <algorithm>

#include "stockctl/text/concat.h"

namespace stockctl {
namespace {

// What libpq says in several lines, in one.
std::string one_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  return text;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> open_database(const std::string& url) {
  try {
    return std::make_unique<Database>(url);
  } catch (const std::exception& error) {
    // What cannot be parsed is quoted, and may hold a password.
    std::string why = one_line(error.what());
    if (const std::size_t at = why.find(url); at != std::string::npos) {
      why.replace(at, url.size(), "the URL");
    }
    return absl::UnavailableError(why);
  }
}

absl::Status current_failure() {
  try {
    throw;
  } catch (const pqxx::insufficient_privilege& error) {
    return absl::FailedPreconditionError(
        concat("this user may not do that (", one_line(error.what()),
               "): name the owner, stock_owner, or a superuser in the URL"));
  } catch (const pqxx::undefined_table& error) {
    return absl::FailedPreconditionError(
        "there is no ledger of this version here; bring the schema up to date first: sql-migrate "
        "up "
        "with deploy/postgres/dbconfig.yml");
  } catch (const pqxx::sql_error& error) {
    return absl::InternalError(one_line(error.what()));
  } catch (const std::exception& error) {
    return absl::UnavailableError(one_line(error.what()));
  }
}

}  // namespace stockctl

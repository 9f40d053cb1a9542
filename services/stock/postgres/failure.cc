#include "stock/postgres/failure.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <pqxx/except>
#include <string>
#include <string_view>

#include "stock/domain/key.h"

namespace stock::postgres {
namespace {

bool in_class(std::string_view state, std::string_view prefix) { return state.starts_with(prefix); }

// The session has lost a prepared statement (26000), or has one that we do not know of (42P05), as
// when preparing it was timed out: nothing that is asked in it can be relied on.
bool is_confused(std::string_view state) { return in_class(state, "26") || state == "42P05"; }

absl::StatusCode code_of(std::string_view state) {
  if (state == "57014") return absl::StatusCode::kDeadlineExceeded;  // statement_timeout
  if (state == "55P03") return absl::StatusCode::kCancelled;         // lock_timeout
  if (state == "23505" || in_class(state, "40")) {
    return absl::StatusCode::kAborted;  // unique key, deadlock and serialization
  }
  if (in_class(state, "22") || in_class(state, "23")) return absl::StatusCode::kInvalidArgument;
  if (is_confused(state)) return absl::StatusCode::kUnavailable;
  // Lost, out of resources, shutting down, starting up; 25006 and 0A000: on a standby, which cannot
  // write nor read unlogged tables.
  if (state.empty() || in_class(state, "08") || in_class(state, "53") || in_class(state, "57P") ||
      in_class(state, "25P") || state == "25006" || state == "0A000") {
    return absl::StatusCode::kUnavailable;
  }
  if (in_class(state, "42") || in_class(state, "3F") || in_class(state, "3D") ||
      in_class(state, "28")) {
    return absl::StatusCode::kFailedPrecondition;
  }
  return absl::StatusCode::kInternal;
}

// A statement that the session has lost, or whose tables have changed under it (0A000), is prepared
// anew in a new session.
bool leaves_unfit(std::string_view state) {
  return state.empty() || in_class(state, "08") || in_class(state, "57P") ||
         in_class(state, "25") || is_confused(state) || state == "0A000";
}

// Only a standby refuses to write (25006), or to read what is UNLOGGED.
bool is_of_a_standby(std::string_view state, std::string_view message) {
  return state == "25006" || (state == "0A000" && message.find("recovery") != message.npos);
}

// libpq's messages have several lines, the first with a severity; one line repeats our statement.
// Of a reply that broke off they may hold any bytes, which no answer of ours could carry.
std::string in_short(std::string text) {
  constexpr std::string_view kSeverity = "ERROR:  ";
  if (text.starts_with(kSeverity)) text.erase(0, kSeverity.size());
  text.erase(std::min(text.find("\nLINE "), text.size()));
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  return domain::made_printable(text);
}

absl::Status sql_status(const pqxx::sql_error& error) {
  const std::string message = in_short(error.what());
  if (is_of_a_standby(error.sqlstate(), message)) {
    return absl::UnavailableError(
        fmt::format("the database called primary is a standby ({})", message));
  }
  return {code_of(error.sqlstate()), message};
}

}  // namespace

Failure current_failure() {
  try {
    throw;
  } catch (const pqxx::broken_connection& e) {
    return {absl::UnavailableError(in_short(e.what())), true};
  } catch (const pqxx::in_doubt_error& e) {
    return {absl::UnavailableError(in_short(e.what())), true};
  } catch (const pqxx::statement_completion_unknown& e) {
    return {absl::UnavailableError(in_short(e.what())), true};
  } catch (const pqxx::transaction_rollback& e) {
    return {absl::AbortedError(in_short(e.what())), false};
  } catch (const pqxx::sql_error& e) {
    return {sql_status(e), leaves_unfit(e.sqlstate())};
  } catch (const std::exception& e) {
    return {absl::InternalError(in_short(e.what())), true};
  }
}

}  // namespace stock::postgres

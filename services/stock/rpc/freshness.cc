#include "stock/rpc/freshness.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "stock/rpc/instant.h"

namespace stock::rpc {
namespace {

using std::chrono::duration_cast;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr microseconds kMaxStaleness = hours(1);
constexpr const char* kTokenField = "consistency.at_least_as_fresh";

Failure bad_token(std::string reason, std::string description) {
  Failure failure = bad_field(kTokenField, std::move(description));
  failure.reason = std::move(reason);
  return failure;
}

Failure write_lost(const Token& token) {
  const std::string id = domain::format_uuid(token.request);
  return {.code = grpc::StatusCode::FAILED_PRECONDITION,
          .reason = "WRITE_LOST",
          .message = fmt::format(
              "the ledger does not hold the write of this token any more (request {}): it was lost "
              "in a crash, a failover or a restore since. Read without the token, and repeat the "
              "write with this request_id if it still is to happen",
              id),
          .violations = {{kTokenField, "its write is lost"}},
          .metadata = {{"request_id", id}},
          .retry_after = {}};
}

Failure request_pruned(const Token& token) {
  return history_pruned(
      fmt::format("the ledger does not remember the write of this token (request {}): requests of "
                  "that time have been pruned. Read without the token",
                  domain::format_uuid(token.request)));
}

std::optional<Failure> parse_staleness(const v1::Consistency& message, microseconds& out) {
  const auto& given = message.max_staleness();
  // A second more is enough to be too much, and cannot overflow.
  const auto whole = seconds(std::clamp<std::int64_t>(given.seconds(), -1, 3601));
  out = duration_cast<microseconds>(whole + nanoseconds(given.nanos()));
  if (out > microseconds(0) && out <= kMaxStaleness) return std::nullopt;
  return bad_field("consistency.max_staleness",
                   "must be more than 0 (1 µs at least) and at most 1 h");
}

}  // namespace

std::optional<Failure> from_proto(const v1::Consistency& message, microseconds bound, Takes takes,
                                  Freshness& out) {
  out = {.requirement = {.max_age = bound,
                         .fully_consistent = false,
                         .at_least = {},
                         .allow_stale = message.allow_stale()},
         .token = {},
         .past = {}};
  domain::Requirement& requirement = out.requirement;
  switch (message.requirement_case()) {
    case v1::Consistency::kMaxStaleness:
      return parse_staleness(message, requirement.max_age.emplace());
    case v1::Consistency::kFullyConsistent:
      if (message.fully_consistent()) {
        requirement.fully_consistent = true;
        requirement.max_age.reset();
      }
      return std::nullopt;
    case v1::Consistency::kAtLeastAsFresh:
      out.token = read_token(message.at_least_as_fresh());
      if (out.token) return std::nullopt;
      return bad_token("TOKEN_MALFORMED",
                       "is not a token that a write of this service returned; hand it back "
                       "unchanged, or read without it");
    case v1::Consistency::kReadTime:
      if (takes == Takes::kPresent) {
        return bad_field("consistency.read_time",
                         "is for reads of levels by key; this method answers for now only");
      }
      return from_proto(message.read_time(), "consistency.read_time",
                        out.past.emplace().at.emplace());
    case v1::Consistency::kVersion:
      if (takes != Takes::kVersion) {
        return bad_field("consistency.version", "is for GetStockLevel only");
      }
      if (message.version() < 1) {
        return bad_field("consistency.version", "must be 1 or more: versions count movements");
      }
      out.past.emplace().version = message.version();
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

void settle(const Rooms& rooms, const Token& token, const layers::ReadContext& context,
            absl::AnyInvocable<void(Settled)> then) {
  const std::uint64_t ledger = rooms.identity.ledger();
  if (ledger == 0) {
    return then({.wrong = backend_failure(absl::UnavailableError(
                     "the ledger has not been reached yet, and only it can check a token")),
                 .write = {}});
  }
  if (token.ledger != ledger) {
    return then({.wrong = bad_token("TOKEN_OF_ANOTHER_LEDGER",
                                    "is the token of a write to another ledger: ask the service "
                                    "that returned it, or read without it"),
                 .write = {}});
  }
  if (token.write.incarnation != 0 && token.write.incarnation == rooms.identity.current()) {
    return then({.wrong = {}, .write = token.write});
  }
  rooms.requests.find(
      token.request, context.deadline,
      [token, then = std::move(then)](absl::StatusOr<ledger::FoundRequest> found) mutable {
        if (!found.ok()) return then({.wrong = backend_failure(found.status()), .write = {}});
        if (found->xid) {
          return then({.wrong = {},
                       .write = domain::Transaction{.incarnation = found->incarnation,
                                                    .xid = *found->xid}});
        }
        // This process had not heard of the incarnation yet.
        if (token.write.incarnation == found->incarnation) {
          return then({.wrong = {}, .write = token.write});
        }
        const bool forgotten = found->pruned_through && token.write.xid <= *found->pruned_through;
        then({.wrong = forgotten ? request_pruned(token) : write_lost(token), .write = {}});
      });
}

}  // namespace stock::rpc

#include "stock/rpc/errors.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string_view>

#include "google/rpc/status.pb.h"

namespace stock::rpc {
namespace {

// Clients limit metadata to 8 KB by default; beyond it they see only RESOURCE_EXHAUSTED.
constexpr std::size_t kMaxDetailBytes = 4000;
constexpr std::size_t kMaxMessageBytes = 500;
constexpr std::chrono::milliseconds kRetryAfter{100};

std::string clip(std::string_view text) {
  if (text.size() <= kMaxMessageBytes) return std::string(text);
  std::size_t end = kMaxMessageBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return fmt::format("{}…", text.substr(0, end));
}

void add_violations(const Failure& failure, std::size_t count, google::rpc::Status& status) {
  if (count == 0) return;
  if (failure.code == grpc::StatusCode::INVALID_ARGUMENT) {
    google::rpc::BadRequest detail;
    for (const auto& violation : std::span(failure.violations).first(count)) {
      auto& field = *detail.add_field_violations();
      field.set_field(violation.subject);
      field.set_description(clip(violation.description));
    }
    status.add_details()->PackFrom(detail);
    return;
  }
  google::rpc::PreconditionFailure detail;
  for (const auto& violation : std::span(failure.violations).first(count)) {
    auto& entry = *detail.add_violations();
    entry.set_type(failure.reason);
    entry.set_subject(violation.subject);
    entry.set_description(clip(violation.description));
  }
  status.add_details()->PackFrom(detail);
}

std::string details(const Failure& failure, const std::string& message, std::size_t violations) {
  google::rpc::Status status;
  status.set_code(failure.code);
  status.set_message(message);
  google::rpc::ErrorInfo info;
  info.set_reason(failure.reason);
  info.set_domain(kErrorDomain);
  for (const auto& [key, value] : failure.metadata) (*info.mutable_metadata())[key] = value;
  if (violations < failure.violations.size()) {
    (*info.mutable_metadata())["violations"] = std::to_string(failure.violations.size());
  }
  status.add_details()->PackFrom(info);
  add_violations(failure, violations, status);
  if (failure.retry_after) {
    google::rpc::RetryInfo retry;
    const auto ms = failure.retry_after->count();
    retry.mutable_retry_delay()->set_seconds(ms / 1000);
    retry.mutable_retry_delay()->set_nanos(static_cast<int>(ms % 1000 * 1'000'000));
    status.add_details()->PackFrom(retry);
  }
  return status.SerializeAsString();
}

std::string upper(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  });
  return result;
}

grpc::StatusCode code_of(ledger::Reason reason) {
  switch (reason) {
    case ledger::Reason::kInsufficientStock:
    case ledger::Reason::kLedgerUnfit:
      return grpc::StatusCode::FAILED_PRECONDITION;
    case ledger::Reason::kCompareFailed:
      return grpc::StatusCode::ABORTED;
    case ledger::Reason::kLocationNotFound:
      return grpc::StatusCode::NOT_FOUND;
    case ledger::Reason::kRequestIdReused:
      return grpc::StatusCode::INVALID_ARGUMENT;
    case ledger::Reason::kCountOutOfRange:
      return grpc::StatusCode::OUT_OF_RANGE;
    case ledger::Reason::kQueueFull:
    case ledger::Reason::kOverloaded:
      return grpc::StatusCode::RESOURCE_EXHAUSTED;
    case ledger::Reason::kUnavailable:
      return grpc::StatusCode::UNAVAILABLE;
    case ledger::Reason::kDeadline:
      return grpc::StatusCode::DEADLINE_EXCEEDED;
    case ledger::Reason::kRejected:
      return grpc::StatusCode::INTERNAL;
    case ledger::Reason::kReservationNotFound:
      return grpc::StatusCode::NOT_FOUND;
    case ledger::Reason::kReservationExists:
      return grpc::StatusCode::ALREADY_EXISTS;
    case ledger::Reason::kReservationExpired:
    case ledger::Reason::kReservationState:
    case ledger::Reason::kLineMismatch:
      return grpc::StatusCode::FAILED_PRECONDITION;
  }
  return grpc::StatusCode::INTERNAL;
}

std::string reason_of(ledger::Reason reason) {
  switch (reason) {
    case ledger::Reason::kQueueFull:
      return "WRITE_QUEUE_FULL";
    case ledger::Reason::kOverloaded:
      return "BACKEND_BUSY";
    case ledger::Reason::kUnavailable:
      return "BACKEND_UNAVAILABLE";
    default:
      return upper(ledger::reason_name(reason));
  }
}

}  // namespace

grpc::Status to_status(const Failure& failure) {
  const std::string message = clip(failure.message);
  std::size_t violations = std::min<std::size_t>(failure.violations.size(), 100);
  std::string bytes = details(failure, message, violations);
  while (bytes.size() > kMaxDetailBytes && violations > 0) {
    violations /= 2;
    bytes = details(failure, message, violations);
  }
  return {failure.code, message, bytes};
}

Failure bad_field(std::string field, std::string description) {
  Failure failure;
  failure.code = grpc::StatusCode::INVALID_ARGUMENT;
  failure.reason = "INVALID_FIELD";
  failure.message = fmt::format("{}: {}", field, description);
  failure.violations.push_back({std::move(field), std::move(description)});
  return failure;
}

Failure backend_failure(const absl::Status& status) {
  Failure failure;
  failure.message = std::string(status.message());
  switch (status.code()) {
    case absl::StatusCode::kAborted:    // somebody else was faster
    case absl::StatusCode::kCancelled:  // or keeps what is needed locked
    case absl::StatusCode::kUnavailable:
      failure.code = grpc::StatusCode::UNAVAILABLE;
      failure.reason = "BACKEND_UNAVAILABLE";
      failure.retry_after = kRetryAfter;
      break;
    case absl::StatusCode::kDeadlineExceeded:
      failure.code = grpc::StatusCode::DEADLINE_EXCEEDED;
      failure.reason = "DEADLINE";
      break;
    case absl::StatusCode::kResourceExhausted:
      failure.code = grpc::StatusCode::RESOURCE_EXHAUSTED;
      failure.reason = "BACKEND_BUSY";
      failure.retry_after = kRetryAfter;
      break;
    case absl::StatusCode::kInvalidArgument:
      failure.code = grpc::StatusCode::INVALID_ARGUMENT;
      failure.reason = "INVALID_FIELD";
      break;
    case absl::StatusCode::kFailedPrecondition:  // another schema, or a foreign ledger
      failure.code = grpc::StatusCode::FAILED_PRECONDITION;
      failure.reason = "LEDGER_UNFIT";
      break;
    default:
      failure.code = grpc::StatusCode::INTERNAL;
      failure.reason = "INTERNAL";
  }
  return failure;
}

Failure history_pruned(std::string message) {
  Failure failure;
  failure.code = grpc::StatusCode::OUT_OF_RANGE;
  failure.reason = "HISTORY_PRUNED";
  failure.message = std::move(message);
  return failure;
}

Failure refused(const ledger::Refusal& refusal) {
  Failure failure;
  failure.code = code_of(refusal.reason);
  failure.reason = reason_of(refusal.reason);
  failure.message = refusal.message;
  for (const auto& line : refusal.lines) {
    failure.violations.push_back(
        {fmt::format("{}@{}", line.key.sku, line.key.location), line.message});
  }
  // Not where the outcome is unknown: whoever repeats that has to know with which id.
  const bool harmless = failure.code == grpc::StatusCode::RESOURCE_EXHAUSTED ||
                        failure.code == grpc::StatusCode::UNAVAILABLE;
  if (harmless && !refusal.unknown) failure.retry_after = kRetryAfter;
  failure.metadata.emplace_back("applied", refusal.unknown ? "unknown" : "no");
  return failure;
}

}  // namespace stock::rpc

// Resume tokens: how far a stream has come, opaque to clients, checked when they come back. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "stock/domain/key.h"
#include "stock/domain/level.h"
#include "stock/domain/snapshot.h"

namespace stock::rpc {

struct ResumeToken {
  std::uint64_t ledger = 0;  // stock.ledger.id
  domain::Incarnation incarnation = 0;
  std::uint64_t request = 0;  // digest of what is streamed
  // All that this shows has been sent;
  domain::Snapshot since;
  // and of what this shows beyond it, all up to this version of `after`.
  std::optional<domain::Snapshot> through;
  domain::Key after;
  domain::Version after_version = 0;

  friend bool operator==(const ResumeToken&, const ResumeToken&) = default;
};

// base64url: a format version, the fields, and a checksum against accidents (not against forgers,
// who gain nothing: a token shows nothing and grants nothing).
std::string make_resume_token(const ResumeToken& token);

// Nothing for what make_resume_token() never gave out, or in another version of the format.
std::optional<ResumeToken> read_resume_token(std::string_view text);

// A digest, for ResumeToken::request.
std::uint64_t digest(std::string_view text);

}  // namespace stock::rpc

// Tokens: proof of a write, opaque to clients, checked when they come back. Pure.
//
// A token names the write in two ways: as a transaction of one incarnation of the ledger, which
// snapshots show or do not, and by its request id, which the ledger remembers in every incarnation.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "stock/domain/movement.h"
#include "stock/domain/snapshot.h"

namespace stock::rpc {

struct Token {
  std::uint64_t ledger = 0;  // stock.ledger.id
  // Its incarnation is 0 when none was known at the time.
  domain::Transaction write;
  domain::Uuid request{};

  friend bool operator==(const Token&, const Token&) = default;
};

// 64 characters of base64url: a format version, the fields, and a checksum against accidents (not
// against forgers, who gain nothing: a token shows nothing and grants nothing).
inline constexpr std::size_t kTokenCharacters = 64;
std::string make_token(const Token& token);

// Nothing for what make_token() never gave out, or in another version of the format.
std::optional<Token> read_token(std::string_view text);

}  // namespace stock::rpc

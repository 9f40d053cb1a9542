#pragma once

#include <string>
#include <string_view>

#include "stockctl/files/sha256.h"

namespace stockctl {

// A UUID that nobody made before (version 4).
std::string random_request_id();

// The UUID of a piece of a file (version 8, by SHA-256): the same file and the same words give the
// same id on every machine, so that running a command again repeats its requests instead of its
// effects. `words` tells pieces, and ways of applying them, apart.
std::string request_id_of(const Sha256::Digest& file, std::string_view words);

}  // namespace stockctl

#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "stockctl/files/sha256.h"

namespace stockctl {

// A file being read from its beginning to its end, with the SHA-256 of what was read. A name that
// ends in ".xz" is read through `xz -dc`, and the digest is that of the decompressed text: a file
// and its compressed twin are the same data. "-" is the standard input. Errors are worded to follow
// the name of the file. One thread.
class InputFile {
 public:
  static absl::StatusOr<InputFile> open(const std::string& path);

  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;
  ~InputFile();

  // The next bytes, valid until the next call; nothing at the end. A compressed file that is cut
  // off or damaged ends in an error, never in a silent end.
  absl::StatusOr<std::string_view> read();

  // Of all bytes read. Call once, after the end.
  Sha256::Digest digest() { return sha256_.finish(); }

 private:
  InputFile(int fd, int child);

  absl::Status end_of_child();

  int fd_;
  // The process that decompresses, or 0.
  int child_;
  Sha256 sha256_;
  std::string buffer_;
};

}  // namespace stockctl

#pragma once

#include "absl/status/status.h"

namespace stockctl {

// What the shell is told. Part of the interface.
enum ExitCode {
  kOk = 0,
  kRefused = 1,
  kUsage = 2,
  kNotFound = 3,
  kUnavailable = 4,
  kServerError = 5,
  kBadLines = 6,
  kInterrupted = 130,
};

// For `stockctl --help`.
inline constexpr char kExitCodesHelp[] =
    "Exit codes:\n"
    "  0    done; the answer is on the standard output\n"
    "  1    refused: too little stock, another value than expected, a hold that\n"
    "       has ended, a cart line that cannot be had\n"
    "  2    wrong usage, or a file that cannot be read\n"
    "  3    not found: no level, no such location or reservation\n"
    "  4    no answer in time: unreachable, too busy, or nothing fresh enough\n"
    "  5    the server failed in another way\n"
    "  6    import or replay went to its end, but lines were bad or refused\n"
    "  130  stopped by Ctrl-C\n";

ExitCode exit_code_of(const absl::Status& status);

}  // namespace stockctl

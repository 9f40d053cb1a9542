#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "stock/v1/stock_service.pb.h"
#include "stockctl/files/catalogue_file.h"
#include "stockctl/files/sha256.h"
#include "stockctl/load/line_report.h"
#include "stockctl/rpc/client.h"
#include "stockctl/text/progress.h"

namespace stockctl {

struct ImportOptions {
  // Of the file, and the options that change what is made of it: together they name the chunks.
  Sha256::Digest digest;
  std::string words;
  // Reason, reference and actor of every chunk.
  stock::v1::WriteContext context;
  // Chunks at the same time.
  std::size_t in_flight;
  std::chrono::nanoseconds retry_for;
};

struct ImportSummary {
  std::int64_t rows = 0;
  std::int64_t changed = 0;
  std::int64_t unchanged = 0;
  // Rows in chunks that an earlier run had applied already.
  std::int64_t already_applied = 0;
  // What ended it before its end, if anything did; a cancelled status stands for Ctrl-C.
  absl::Status stopped;
};

// Sets levels chunk by chunk, several at once: no key is in two of them. In order of key, whatever
// the order of the file: that of the ledger's indexes, which then grow page by page. Each chunk's
// request_id follows from the file, so that a second run passes over what the first has done. Rows
// that the server does not take go to `bad`.
ImportSummary import_levels(const ClientOptions& client, StockTable stock,
                            const ImportOptions& options, LineReport& bad, Progress& progress);

}  // namespace stockctl

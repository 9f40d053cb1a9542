#include "stockctl/load/importer.h"

#include <algorithm>
#include <random>
#include <thread>

#include "stockctl/files/request_id.h"
#include "stockctl/load/interrupt.h"
#include "stockctl/rpc/retry.h"
#include "stockctl/text/concat.h"

namespace stockctl {
namespace {

using std::chrono::steady_clock;
using stock::v1::ImportStockLevelsRequest;
using stock::v1::ImportStockLevelsResponse;

constexpr std::size_t kChunkRows = 1'000;

ImportStockLevelsRequest chunk(const StockTable& stock, std::size_t first,
                               const ImportOptions& options) {
  ImportStockLevelsRequest request;
  *request.mutable_context() = options.context;
  request.mutable_context()->set_request_id(
      request_id_of(options.digest, concat("import ", options.words, " row ", first)));
  const std::size_t end = std::min(first + kChunkRows, stock.rows.size());
  for (std::size_t i = first; i < end; ++i) {
    const StockRow& row = stock.rows[i];
    StockKey key = stock.keys[row.key];
    stock::v1::ImportRow& sent = *request.add_rows();
    sent.mutable_key()->set_sku(std::move(key.sku));
    sent.mutable_key()->set_location(std::move(key.location));
    sent.set_on_hand(row.on_hand);
    if (row.safety_stock) sent.set_safety_stock(*row.safety_stock);
  }
  return request;
}

// False when interrupted.
bool sleep_until(steady_clock::time_point end) {
  constexpr steady_clock::duration kStep = std::chrono::milliseconds(100);
  for (auto now = steady_clock::now(); now < end; now = steady_clock::now()) {
    if (interrupted()) return false;
    std::this_thread::sleep_for(std::min(kStep, end - now));
  }
  return !interrupted();
}

absl::StatusOr<ImportStockLevelsResponse> call_patiently(Client& client,
                                                         const ImportStockLevelsRequest& request,
                                                         std::chrono::nanoseconds retry_for) {
  std::minstd_rand random(std::random_device{}());
  Backoff backoff(retry_for);
  while (true) {
    absl::StatusOr<ImportStockLevelsResponse> response = client.call(request);
    if (response.ok()) return response;
    const double chance = std::uniform_real_distribution<>()(random);
    const auto now = steady_clock::now();
    const auto wait = backoff.after(response.status(), now, chance);
    if (!wait) return response;
    if (!sleep_until(now + *wait)) return absl::CancelledError();
  }
}

}  // namespace

ImportSummary import_levels(Client& client, const StockTable& stock, const ImportOptions& options,
                            LineReport& bad, Progress& progress) {
  ImportSummary summary;
  for (std::size_t first = 0; first < stock.rows.size(); first += kChunkRows) {
    if (interrupted()) {
      summary.stopped = absl::CancelledError();
      break;
    }
    const ImportStockLevelsRequest request = chunk(stock, first, options);
    const absl::StatusOr<ImportStockLevelsResponse> response =
        call_patiently(client, request, options.retry_for);
    if (!response.ok()) {
      summary.stopped = response.status();
      break;
    }
    summary.rows += request.rows_size();
    if (response->replayed()) {
      summary.already_applied += request.rows_size() - response->errors_size();
    } else {
      summary.changed += response->changed();
      summary.unchanged += response->unchanged();
    }
    for (const stock::v1::ImportRowError& error : response->errors()) {
      const std::size_t at = first + static_cast<std::size_t>(error.index());
      if (error.index() >= 0 && at < stock.rows.size())
        bad.add(stock.rows[at].line, error.message());
    }
    progress.update(summary.rows, steady_clock::now());
  }
  return summary;
}

}  // namespace stockctl

#include "stockctl/load/importer.h"

#include <algorithm>
#include <tuple>
#include <utility>
#include <variant>

#include "stockctl/files/request_id.h"
#include "stockctl/load/interrupt.h"
#include "stockctl/rpc/patient_writes.h"
#include "stockctl/text/concat.h"

namespace stockctl {
namespace {

using std::chrono::steady_clock;
using stock::v1::ImportStockLevelsRequest;
using stock::v1::ImportStockLevelsResponse;

constexpr std::size_t kChunkRows = 1'000;
// How soon Ctrl-C is noticed.
constexpr std::chrono::nanoseconds kTick = std::chrono::milliseconds(50);

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

void sort_by_key(StockTable& stock) {
  std::ranges::sort(stock.rows, [&keys = stock.keys](const StockRow& a, const StockRow& b) {
    return std::tie(keys.sku(a.key), keys.location(a.key)) <
           std::tie(keys.sku(b.key), keys.location(b.key));
  });
}

void count(const ImportStockLevelsResponse& response, const StockTable& stock, std::size_t first,
           ImportSummary& summary, LineReport& bad) {
  const auto rows = static_cast<std::int64_t>(std::min(kChunkRows, stock.rows.size() - first));
  summary.rows += rows;
  if (response.replayed()) {
    summary.already_applied += rows - response.errors_size();
  } else {
    summary.changed += response.changed();
    summary.unchanged += response.unchanged();
  }
  for (const stock::v1::ImportRowError& error : response.errors()) {
    const std::size_t at = first + static_cast<std::size_t>(error.index());
    if (error.index() >= 0 && at < stock.rows.size()) bad.add(stock.rows[at].line, error.message());
  }
}

}  // namespace

ImportSummary import_levels(const ClientOptions& client, StockTable stock,
                            const ImportOptions& options, LineReport& bad, Progress& progress) {
  sort_by_key(stock);
  const auto chunks = static_cast<std::uint32_t>((stock.rows.size() + kChunkRows - 1) / kChunkRows);
  PatientWrites writes(client, options.retry_for, [&](std::uint32_t number) {
    return chunk(stock, number * kChunkRows, options);
  });
  ImportSummary summary;
  const auto stop = [&](absl::Status why) {
    if (!summary.stopped.ok()) return;
    summary.stopped = std::move(why);
    writes.stop_trying();
  };
  std::uint32_t next = 0;
  while (true) {
    if (interrupted()) stop(absl::CancelledError());
    while (summary.stopped.ok() && next < chunks && writes.under_way() < options.in_flight) {
      writes.start(next++);
    }
    if (writes.under_way() == 0) break;
    const auto answer = writes.wait(kTick);
    if (!answer) continue;
    if (answer->response.ok()) {
      count(std::get<ImportStockLevelsResponse>(*answer->response), stock, answer->tag * kChunkRows,
            summary, bad);
    } else {
      stop(answer->response.status());
    }
    progress.update(summary.rows, steady_clock::now());
  }
  return summary;
}

}  // namespace stockctl

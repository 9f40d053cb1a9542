// A server stream as a client reads it: on a thread of its own into a list, or a message at a time.
// Without the weight of gRPC's headers.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "stock/v1/drift_service.pb.h"
#include "stock/v1/stock_service.pb.h"
#include "support/stock_client.h"

namespace stock::support {

// One stream of WatchStockLevels, StreamStockMovements or WatchIncidents. Not thread-safe, but for
// cancel().
template <typename Request, typename Response>
class StockStream {
 public:
  StockStream(const std::string& address, const Request& request);
  // Cancels it.
  ~StockStream();
  StockStream(const StockStream&) = delete;
  StockStream& operator=(const StockStream&) = delete;

  // The next response; false at the end.
  bool read(Response& response);
  // Responses until one satisfies `enough`, all of them; without it when the stream ends.
  std::vector<Response> read_until(const std::function<bool(const Response&)>& enough);
  void cancel();
  // How it ended; reads what is left.
  Ended end();
  // Of the end: the trailing metadata.
  [[nodiscard]] const std::string& last_token() const { return last_token_; }

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
  std::string last_token_;
};

using WatchStream = StockStream<v1::WatchStockLevelsRequest, v1::WatchStockLevelsResponse>;
using MovementStream =
    StockStream<v1::StreamStockMovementsRequest, v1::StreamStockMovementsResponse>;
using IncidentStream = StockStream<v1::WatchIncidentsRequest, v1::WatchIncidentsResponse>;

}  // namespace stock::support

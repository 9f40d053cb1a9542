// stock.v1.StockService: checks requests, asks the rooms behind, and says where each answer comes
// from. Holds no state of its own. Called on the serving thread; answers on whichever thread had
// the last word.
#pragma once

#include <chrono>
#include <string>

#include "stock/clock/database_clock.h"
#include "stock/feed/attention.h"
#include "stock/feed/delta.h"
#include "stock/feed/hub.h"
#include "stock/feed/ledger_identity.h"
#include "stock/layers/catalogue_path.h"
#include "stock/layers/location_directory.h"
#include "stock/layers/read_path.h"
#include "stock/ledger/lanes.h"
#include "stock/ledger/location_writer.h"
#include "stock/ledger/request_finder.h"
#include "stock/rpc/flag_view.h"
#include "stock/rpc/server.h"
#include "stock/v1/stock_service.grpc.pb.h"

namespace stock::rpc {

inline constexpr const char* kStockService = "stock.v1.StockService";

// What the handlers answer from. All outlive the server.
struct Rooms {
  const layers::ReadPath& reads;
  const layers::CataloguePath& catalogue;
  layers::LocationDirectory& directory;
  ledger::Lanes& writes;
  ledger::LocationWriter& locations;
  ledger::RequestFinder& requests;
  const feed::LedgerIdentity& identity;
  feed::Hub* hub;  // null without a feed
  feed::DeltaSource& deltas;
  feed::Attention& attention;
  const clock::LocalClock& clock;
  const clock::DatabaseClock& database_clock;
  std::string instance;
  std::chrono::microseconds max_staleness;  // of reads that name no bound
  std::chrono::nanoseconds write_timeout;   // of writes whose callers would wait longer
  const FlagRooms* flags = nullptr;         // null: there are none
};

class StockHandlers {
 public:
  explicit StockHandlers(Rooms rooms) : rooms_(std::move(rooms)) {}

  // Before the server starts.
  void attach(Server& server);

 private:
  void attach_reads(Server& server);
  void attach_lists(Server& server);
  void attach_writes(Server& server);
  void attach_reservations(Server& server);
  void attach_watches(Server& server);
  void attach_streams(Server& server);

  // The generated service, and its methods with answers that are bytes already.
  struct Service final : v1::StockService::AsyncService {
    template <typename Request>
    void request(int method, grpc::ServerContext* context, Request* message,
                 grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>* writer,
                 grpc::CompletionQueue* calls, grpc::ServerCompletionQueue* events, void* tag) {
      RequestAsyncUnary(method, context, message, writer, calls, events, tag);
    }
  };
  // Waits for calls of the RPC of that name.
  template <typename Request>
  void add_bytes_method(Server& server, const char* rpc,
                        void (*handle)(const Rooms&, UnaryCall<Request, grpc::ByteBuffer>&));

  Rooms rooms_;
  Service service_;
};

// Waits for calls of an RPC of StockService that the function `handle` answers.
#define STOCK_RPC(server, rpc, handle)                                                         \
  (server).add_method<v1::rpc##Request, v1::rpc##Response>(                                    \
      kStockService, #rpc, [this](auto... arguments) { service_.Request##rpc(arguments...); }, \
      [this](UnaryCall<v1::rpc##Request, v1::rpc##Response>& call) { handle(rooms_, call); })

}  // namespace stock::rpc

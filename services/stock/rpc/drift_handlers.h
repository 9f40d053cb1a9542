// stock.v1.DriftService. Holds no state of its own. Called on the serving thread; answers on
// whichever thread had the last word.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "stock/clock/local_clock.h"
#include "stock/drift/examiner.h"
#include "stock/drift/incident_board.h"
#include "stock/drift/incident_store.h"
#include "stock/drift/price.h"
#include "stock/drift/testimony_desk.h"
#include "stock/layers/read_path.h"
#include "stock/layers/setting_keeper.h"
#include "stock/layers/switch.h"
#include "stock/rpc/flag_view.h"
#include "stock/rpc/server.h"
#include "stock/v1/drift_service.grpc.pb.h"

namespace stock::rpc {

inline constexpr const char* kDriftService = "stock.v1.DriftService";

// Why testimonies were not judged.
enum class TestimonyRefusal : std::uint8_t {
  kMalformed,  // the request, or who it is of
  kBusy,       // too many wait
  kUnjudged,   // the ledger could not be asked in time
};

// What the handlers answer from. All outlive the server.
struct DriftRooms {
  const drift::LayerTallies& tallies;
  std::vector<const layers::Switch*> switches;  // of the layers that are configured, in that order
  layers::SettingKeeper& settings;
  drift::Examiner& examiner;
  drift::IncidentList& incidents;
  const drift::IncidentBoard& incident_board;
  drift::TestimonyDesk& testimonies;
  // So many testimonies were refused. From any thread; must not block.
  std::function<void(TestimonyRefusal why, std::int64_t testimonies)> refused;
  const clock::DatabaseClock& database_clock;
  const clock::LocalClock& clock;
  domain::LocalTime started_at;  // since when it has been counted
  std::string instance;
  const layers::ReadPath& reads;
  std::chrono::microseconds max_staleness;  // of what is read besides
  const FlagRooms* flags = nullptr;         // null: there are none
};

// What ListLayers answers, for whoever wants it in another way. From any thread.
void list_layers(const DriftRooms& rooms, v1::ListLayersResponse& response);
// The same of ExplainStockLevel, by the question as the examiner answered it.
void fill_explanation(const DriftRooms& rooms, const drift::Question& question,
                      const drift::Explanation& explanation,
                      v1::ExplainStockLevelResponse& response);
// And of ListIncidents; without the token of the next page.
void fill_incidents(const drift::IncidentPage& page, v1::ListIncidentsResponse& response);

class DriftHandlers {
 public:
  explicit DriftHandlers(DriftRooms rooms) : rooms_(std::move(rooms)) {}

  // Before the server starts.
  void attach(Server& server);

 private:
  void attach_layers(Server& server);
  void attach_explaining(Server& server);
  void attach_incidents(Server& server);
  void attach_forks(Server& server);
  void attach_testimonies(Server& server);

  DriftRooms rooms_;
  v1::DriftService::AsyncService service_;
};

// Waits for calls of an RPC of DriftService that the function `handle` answers.
#define DRIFT_RPC(server, rpc, handle)                                                         \
  (server).add_method<v1::rpc##Request, v1::rpc##Response>(                                    \
      kDriftService, #rpc, [this](auto... arguments) { service_.Request##rpc(arguments...); }, \
      [this](UnaryCall<v1::rpc##Request, v1::rpc##Response>& call) { handle(rooms_, call); })

}  // namespace stock::rpc

// DriftService in JSON, for the console: the same calls, by a channel within the process, so that
// what a page shows is what every other client gets, with the same limits and the same metrics.
//
// The JSON mapping is protobuf's, with the names of the .proto files and without leaving out zeros,
// as `stockctl --json` writes it. What changes something is asked by change() alone. Any thread; a
// call waits for its answer.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "stock/v1/drift_service.grpc.pb.h"

namespace stock::rpc {

class JsonGateway {
 public:
  struct Answer {
    int status = 200;  // of HTTP, as google.rpc.Code maps to it
    std::string json;  // the response, or {"code": "NOT_FOUND", "message": "..."}
  };

  JsonGateway(std::shared_ptr<grpc::Channel> channel, std::chrono::milliseconds timeout)
      : stub_(v1::DriftService::NewStub(std::move(channel))), timeout_(timeout) {}

  // `fields` of the request by name, as JSON has them in strings.
  [[nodiscard]] Answer ask(const std::string& method,
                           const std::map<std::string, std::string>& fields);
  // UpdateLayer, RepairStockLevel; `request` in JSON.
  [[nodiscard]] Answer change(const std::string& method, const std::string& request);

  // Refuses what comes, ends what is under way, and waits for that. To be called before the server
  // stops: a call on a channel within the process to a server that has stopped is the process's
  // end (gRPC 1.51 calls where there is nothing any more).
  void close();

 private:
  template <typename Request, typename Response>
  [[nodiscard]] Answer call(const std::string& json,
                            grpc::Status (v1::DriftService::Stub::*method)(grpc::ClientContext*,
                                                                           const Request&,
                                                                           Response*));
  // False: closed.
  bool begin(grpc::ClientContext& context);
  void end(grpc::ClientContext& context);

  const std::unique_ptr<v1::DriftService::Stub> stub_;
  const std::chrono::milliseconds timeout_;

  std::mutex mutex_;  // guards the rest
  std::condition_variable ended_;
  std::set<grpc::ClientContext*> under_way_;
  bool closed_ = false;
};

}  // namespace stock::rpc

// A layer outside the service, as it testifies. Thread-safe.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "stock/v1/drift_service.pb.h"

namespace stock::support {

class WitnessClient {
 public:
  explicit WitnessClient(const std::string& address);
  ~WitnessClient();

  struct Heard {
    int code = 0;  // grpc::StatusCode
    std::string message;
    bool retry_told = false;  // the error says after how long to come again
    v1::SubmitTestimoniesResponse response;
  };
  Heard submit(const v1::SubmitTestimoniesRequest& request,
               std::chrono::milliseconds timeout = std::chrono::seconds(30));
  Heard submit(const v1::Testimony& testimony);
  // One after the other over one stream; the answers to them, and how it ended.
  Heard stream(const std::vector<v1::SubmitTestimoniesRequest>& requests,
               std::vector<v1::SubmitTestimoniesResponse>& answers);

 private:
  struct Stub;
  std::unique_ptr<Stub> stub_;
};

}  // namespace stock::support

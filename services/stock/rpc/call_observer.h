// What the server tells of its calls, for metrics and logs.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace stock::rpc {

struct HandledCall {
  int code = 0;  // grpc::StatusCode, as the client sees it
  std::chrono::nanoseconds duration{0};
  // Only meaningful for failures, and during the call only.
  std::string_view message;
  std::string_view traceparent;
  std::string_view peer;
};

// Thread-safe and quick: called on the serving thread, on the streams' or on the one that
// answers.
class CallObserver {
 public:
  virtual ~CallObserver() = default;
  // Before serving, once per method; the number is used from then on. Only methods of this server
  // exist, so that nobody can make up label values.
  virtual std::size_t method(std::string_view service, std::string_view name, bool streaming) = 0;
  virtual void started(std::size_t method) = 0;
  // A message of a stream.
  virtual void sent(std::size_t method) = 0;
  virtual void handled(std::size_t method, const HandledCall& call) = 0;
};

}  // namespace stock::rpc

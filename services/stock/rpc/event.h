// What a completion queue's tags point to.
#pragma once

namespace stock::rpc {

class Event {
 public:
  virtual ~Event() = default;
  // On the serving thread, when the operation that carried this tag is over. `ok` as gRPC defines
  // it.
  virtual void happened(bool ok) = 0;
};

}  // namespace stock::rpc

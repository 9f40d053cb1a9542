// A DriftService that only hears testimonies: it keeps them, and gives the verdict it is told to.
// Everything else is UNIMPLEMENTED. Thread-safe.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "stock/v1/drift_service.pb.h"

namespace stock::support {

class FakeTestimonyServer {
 public:
  // Says of each claim what `judge` says. Its database's clock is so far ahead of this machine's.
  explicit FakeTestimonyServer(std::function<v1::Verdict(const v1::Testimony&)> judge,
                               std::chrono::seconds ahead = std::chrono::seconds(0));
  ~FakeTestimonyServer();

  [[nodiscard]] std::string address() const;
  [[nodiscard]] std::vector<v1::SubmitTestimoniesRequest> heard() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace stock::support

// What was counted of the layers, put together. Thread-safe.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "stock/drift/price.h"
#include "stockd/observers.h"

namespace stockd {

class Tallies final : public stock::drift::LayerTallies {
 public:
  // `up` says whether the layer of that name can be asked.
  Tallies(std::vector<std::string> layers, const ReadMetrics& reads, const DriftMetrics& drift,
          const IncidentMetrics& incidents, std::function<bool(std::string_view layer)> up)
      : layers_(std::move(layers)),
        reads_(reads),
        drift_(drift),
        incidents_(incidents),
        up_(std::move(up)) {}

  [[nodiscard]] std::vector<stock::drift::LayerTally> tallies() const override {
    std::vector<stock::drift::LayerTally> tallies(layers_.size());
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      tallies[i].layer = layers_[i];
      tallies[i].database = layers_[i] == "replica" || layers_[i] == "primary";
      tallies[i].up = up_(layers_[i]);
      reads_.tally(i, tallies[i]);
      drift_.tally(i, tallies[i]);
      incidents_.tally(tallies[i]);
    }
    return tallies;
  }

 private:
  const std::vector<std::string> layers_;
  const ReadMetrics& reads_;
  const DriftMetrics& drift_;
  const IncidentMetrics& incidents_;
  const std::function<bool(std::string_view)> up_;
};

}  // namespace stockd

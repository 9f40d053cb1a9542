// Puts what was just committed into the layers that can be told, dated as it was.
#pragma once

#include <vector>

#include "stock/feed/view.h"
#include "stock/layers/layer.h"
#include "stock/ledger/announcer.h"

namespace stockd {

class News final : public stock::ledger::Announcer {
 public:
  explicit News(const stock::feed::View& view) : view_(view) {}

  // Before the first write. The layers outlive it.
  void tell(std::vector<stock::layers::Fillable*> layers) { layers_ = std::move(layers); }

  [[nodiscard]] Seen seen() const override {
    const stock::feed::Watermark watermark = view_.watermark();
    return {.incarnation = watermark.incarnation, .heartbeat = watermark.heartbeat};
  }
  void committed(std::span<const stock::domain::Key> keys,
                 std::span<const stock::domain::Reading> levels) override {
    for (stock::layers::Fillable* layer : layers_) layer->offer(keys, levels);
  }

 private:
  const stock::feed::View& view_;
  std::vector<stock::layers::Fillable*> layers_;
};

}  // namespace stockd

// The setting of one layer, as this process knows it, and what it does to the layer: one that is
// switched off is neither asked nor told anything.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <utility>

#include "stock/layers/layer.h"
#include "stock/layers/setting.h"

namespace stock::layers {

// Thread-safe. On until it is told otherwise.
class Switch {
 public:
  // `before_on` is called when it is about to be switched on again, on the thread that does it, so
  // that what the layer still holds can be thrown away. May be empty.
  explicit Switch(std::string layer, std::function<void()> before_on = {});

  [[nodiscard]] bool on() const { return on_.load(std::memory_order_acquire); }
  [[nodiscard]] Setting setting() const;
  // "disabled by ana since 2026-11-24 02:07:09 UTC: lies"; empty while it is on.
  [[nodiscard]] std::string why_off() const;

  // Returns the setting that it had before.
  Setting set(Setting setting);

 private:
  const std::function<void()> before_on_;
  std::atomic<bool> on_{true};
  mutable std::mutex mutex_;
  Setting setting_;  // guarded by mutex_
};

// A layer behind its switch: the outermost of the decorators. `fill` may be null; all outlive it.
class Switched final : public Layer, public Fillable {
 public:
  Switched(Layer& inner, Fillable* fill, const Switch& power)
      : inner_(inner), fill_(fill), power_(power) {}

  [[nodiscard]] std::string_view name() const override { return inner_.name(); }
  void read(std::span<const domain::Key> keys, std::span<Answer> answers,
            const ReadContext& context, Done done) override;
  void offer(std::span<const domain::Key> keys, std::span<const domain::Reading> readings) override;

 private:
  Layer& inner_;
  Fillable* const fill_;
  const Switch& power_;
};

}  // namespace stock::layers

// This machine's clock. Injected wherever time is needed, so that tests own it.
#pragma once

#include "stock/domain/time.h"

namespace stock::clock {

// Thread-safe.
class LocalClock {
 public:
  virtual ~LocalClock() = default;
  [[nodiscard]] virtual domain::LocalTime now() const = 0;
};

// CLOCK_BOOTTIME: does not jump, and unlike the steady clock it goes on while the machine is
// suspended, so that a copy kept over a suspension has its true age.
class BootClock final : public LocalClock {
 public:
  [[nodiscard]] domain::LocalTime now() const override;
};

}  // namespace stock::clock

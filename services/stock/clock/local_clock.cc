#include "stock/clock/local_clock.h"

#include <ctime>

namespace stock::clock {

domain::LocalTime BootClock::now() const {
  timespec time{};
  clock_gettime(CLOCK_BOOTTIME, &time);
  return domain::LocalTime(std::chrono::seconds(time.tv_sec) +
                           std::chrono::nanoseconds(time.tv_nsec));
}

}  // namespace stock::clock

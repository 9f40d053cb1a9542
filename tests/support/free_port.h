// A free TCP port on loopback, for a server that a test is about to start.
#pragma once

#include <cstdint>

namespace stock::support {

// Below the range from which the system takes ports for outgoing connections, so that none of those
// can take it before the server does; never the same twice in one process, and chosen at random, so
// that two test programs are unlikely to meet. Thread-safe.
std::uint16_t free_port();

}  // namespace stock::support

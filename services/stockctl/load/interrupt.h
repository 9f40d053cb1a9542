#pragma once

namespace stockctl {

// Turns the first Ctrl-C (or SIGTERM) into a request to stop in good order; a second one ends the
// process at once. For the commands that take long.
void catch_interrupts();
bool interrupted();

}  // namespace stockctl

#pragma once

// The console's part of the admin port: its files, and what they ask.
//
// Whoever can open the page may read. What changes something is taken from the page alone: other
// pages that the same browser shows can neither set the header that is asked for, nor have the
// page's origin. Nor can one that an attacker has given a name of his own for this address
// (rebinding), which makes it the same origin to a browser: a change must be sent to an address, to
// localhost, or to the host that is listened on.

#include <httplib.h>

#include <atomic>
#include <string>

#include "stock/admin/server.h"

namespace stock::admin {

// `questions` counts those under way. Both outlive `http`.
void add_console(httplib::Server& http, const Options& options, std::atomic<int>& questions);

// Whether a change may be posted there at all.
bool may_change(const std::string& path);

}  // namespace stock::admin

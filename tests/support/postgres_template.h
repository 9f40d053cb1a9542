// A cluster with the newest schema, made once and then copied: initdb and the migrations take
// seconds, a copy does not.
#pragma once

#include <filesystem>

namespace stock::support {

// The data folder of a cluster that was shut down cleanly. It lies under $TMPDIR (or /tmp), named
// after what it is made from, and is shared by all test programs that find it there.
std::filesystem::path postgres_template();

}  // namespace stock::support

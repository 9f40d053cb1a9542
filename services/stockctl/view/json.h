#pragma once

#include <string>

#include "google/protobuf/message.h"

namespace stockctl {

// Proto JSON with the names of the .proto files and every field that has no presence, so that a
// script finds a zero where there is a zero. Ends with a newline.
std::string to_json(const google::protobuf::Message& message);
// The same in one line.
std::string to_json_line(const google::protobuf::Message& message);

}  // namespace stockctl

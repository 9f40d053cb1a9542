#include "stockctl/view/json.h"

#include "google/protobuf/util/json_util.h"

namespace stockctl {

namespace {

std::string print(const google::protobuf::Message& message, bool whitespace) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = whitespace;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string text;
  // Fails for an Any of an unknown type only; what was written before it would be half a document.
  if (!google::protobuf::util::MessageToJsonString(message, &text, options).ok()) return "{}\n";
  return text;
}

}  // namespace

std::string to_json(const google::protobuf::Message& message) { return print(message, true); }

std::string to_json_line(const google::protobuf::Message& message) {
  std::string line = print(message, false);
  if (line.back() != '\n') line += '\n';
  return line;
}

}  // namespace stockctl

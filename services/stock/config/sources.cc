#include "stock/config/sources.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

#include "absl/status/status.h"
#include "stock/config/text.h"

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#define TOML_UNDEF_MACROS 1
#include <toml++/toml.h>

namespace stock::config {
namespace {

const Setting* find(const std::vector<Setting>& table, std::string_view key) {
  const auto found = std::find_if(table.begin(), table.end(),
                                  [key](const Setting& setting) { return setting.key == key; });
  return found == table.end() ? nullptr : &*found;
}

std::vector<std::string_view> keys(const std::vector<Setting>& table) {
  std::vector<std::string_view> names;
  names.reserve(table.size());
  for (const Setting& setting : table) {
    names.push_back(setting.key);
  }
  return names;
}

// Lists become texts separated by commas. Empty where the value has another shape.
std::optional<std::string> text_of(const toml::node& node, Shape shape) {
  if (const auto* list = node.as_array(); list != nullptr && shape == Shape::kList) {
    std::vector<std::string> parts;
    for (const toml::node& element : *list) {
      const auto part = element.value_exact<std::string>();
      if (!part) {
        return std::nullopt;
      }
      parts.push_back(*part);
    }
    return fmt::format("{}", fmt::join(parts, ","));
  }
  if (shape == Shape::kNumber) {
    const auto number = node.value_exact<std::int64_t>();
    return number ? std::optional(std::to_string(*number)) : std::nullopt;
  }
  return shape == Shape::kText ? node.value_exact<std::string>() : std::nullopt;
}

std::string_view shape_name(Shape shape) {
  switch (shape) {
    case Shape::kText:
      return "a text in quotation marks";
    case Shape::kNumber:
      return "a whole number without quotation marks";
    case Shape::kList:
      return R"(a list of texts, such as ["memory", "primary"])";
  }
  return "";
}

absl::Status all_of(const std::vector<std::string>& errors) {
  return errors.empty() ? absl::OkStatus()
                        : absl::InvalidArgumentError(fmt::format("{}", fmt::join(errors, "\n")));
}

}  // namespace

std::string unknown_name(std::string_view what, std::string_view name,
                         const std::vector<std::string_view>& known) {
  const std::string_view meant = nearest(name, known);
  return fmt::format("unknown {} {}{}", what, name,
                     meant.empty() ? "" : fmt::format(": did you mean {}?", meant));
}

absl::StatusOr<Values> read_file(const std::string& path, const std::vector<Setting>& table) {
  std::ifstream file(path, std::ios::binary);
  file.peek();  // a folder can be opened, but not read
  if (!file.is_open() || file.bad()) {
    return absl::InvalidArgumentError(
        fmt::format("cannot read the file {}: {}", path, std::strerror(errno)));
  }
  std::ostringstream text;
  text << file.rdbuf();
  const toml::parse_result parsed = toml::parse(std::move(text).str(), path);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return absl::InvalidArgumentError(
        fmt::format("{}, line {}: {}", path, error.source().begin.line, error.description()));
  }
  Values values;
  std::vector<std::string> errors;
  for (const auto& [name, node] : parsed.table()) {
    const std::string_view key = name.str();
    const std::string where = fmt::format("{}, line {}", path, node.source().begin.line);
    const Setting* setting = find(table, key);
    if (node.is_table() || node.is_array_of_tables()) {
      errors.push_back(fmt::format("{}: [{}] is a section, but all settings stand at the top level",
                                   where, key));
    } else if (setting == nullptr) {
      errors.push_back(where + ": " + unknown_name("setting", key, keys(table)));
    } else if (const auto value = text_of(node, setting->shape)) {
      values[std::string(key)] = {.text = *value, .source = "file " + where};
    } else {
      errors.push_back(fmt::format("{}: {} must be {}", where, key, shape_name(setting->shape)));
    }
  }
  const absl::Status status = all_of(errors);
  return status.ok() ? absl::StatusOr<Values>(std::move(values)) : status;
}

absl::StatusOr<Values> read_environment(const Environment& environment,
                                        const std::vector<Setting>& table) {
  std::map<std::string, std::string_view, std::less<>> key_of;
  std::vector<std::string_view> variables = {kConfigVariable};
  for (const Setting& setting : table) {
    variables.push_back(key_of.emplace(setting.variable(), setting.key).first->first);
  }
  Values values;
  std::vector<std::string> errors;
  for (const auto& [name, text] : environment) {
    if (!name.starts_with(kVariablePrefix) || name == kConfigVariable) {
      continue;
    }
    if (const auto found = key_of.find(name); found != key_of.end()) {
      values[std::string(found->second)] = {.text = text, .source = "env " + name};
    } else {
      errors.push_back(unknown_name("variable", name, variables));
    }
  }
  const absl::Status status = all_of(errors);
  return status.ok() ? absl::StatusOr<Values>(std::move(values)) : status;
}

Environment process_environment() {
  Environment environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (const std::size_t equals = text.find('='); equals != std::string_view::npos) {
      environment.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return environment;
}

}  // namespace stock::config

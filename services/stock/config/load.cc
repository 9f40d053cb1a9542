#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/status/status.h"
#include "stock/config/command_line.h"
#include "stock/config/config.h"
#include "stock/config/redact.h"
#include "stock/config/rules.h"
#include "stock/config/settings.h"
#include "stock/config/sources.h"
#include "stock/config/text.h"

namespace stock::config {
namespace {

// Differs between the processes of one host and between hosts.
std::string default_instance() {
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0 || host[0] == '\0') {
    return fmt::format("stockd-{}", getpid());
  }
  // The name without its domain fits every limit on `instance`.
  const std::string_view name = host.data();
  return fmt::format("{}-{}", name.substr(0, std::min<std::size_t>(name.find('.'), 48)), getpid());
}

// File below environment below flags; what is wrong with any of them is told together.
absl::StatusOr<Values> merged(const CommandLine& line, const Environment& environment,
                              const std::vector<Setting>& table) {
  std::vector<std::string> errors;
  Values values;
  const auto lay_over = [&](absl::StatusOr<Values> source) {
    if (!source.ok()) {
      errors.emplace_back(source.status().message());
      return;
    }
    for (auto& [key, value] : *source) {
      values.insert_or_assign(key, std::move(value));
    }
  };
  const auto named = environment.find(kConfigVariable);
  if (line.file) {
    lay_over(read_file(*line.file, table));
  } else if (named != environment.end() && !named->second.empty()) {
    lay_over(read_file(named->second, table));
  }
  lay_over(read_environment(environment, table));
  lay_over(line.values);
  if (!errors.empty()) {
    return absl::InvalidArgumentError(fmt::format("{}", fmt::join(errors, "\n")));
  }
  return values;
}

std::string mistake(const Setting& setting, const Value& value, const absl::Status& status) {
  const std::string shown = setting.secret ? "" : "; it is " + quoted(value.text);
  return fmt::format("{} ({}) {}{}", setting.key, value.source, std::string(status.message()),
                     shown);
}

std::string literal(const Setting& setting, const Config& config) {
  std::string text = setting.secret ? redact(setting.show(config)) : setting.show(config);
  switch (setting.shape) {
    case Shape::kNumber:
      return text;
    case Shape::kList: {
      if (text.empty()) return "[]";
      std::vector<std::string> parts;
      for (const std::string_view part : split(text)) {
        parts.push_back(quoted(part));
      }
      return fmt::format("[{}]", fmt::join(parts, ", "));
    }
    case Shape::kText:
      return quoted(text);
  }
  return "";
}

// A path may hold anything, but a comment ends with its line.
std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return text;
}

std::string source_of(const Setting& setting, const Config& config, const Values& values) {
  if (const auto value = values.find(setting.key); value != values.end()) {
    return one_line(value->second.source);
  }
  const bool reduced = setting.key == "layers" && config.layers != Config().layers;
  return reduced ? "default, less those without a URL" : "default";
}

std::string printed(const Config& config, const Values& values, const std::vector<Setting>& table) {
  std::string text = "# The effective configuration of stockd, with the source of each value.\n";
  std::string_view group;
  for (const Setting& setting : table) {
    if (setting.group != group) {
      group = setting.group;
      text += fmt::format("\n# {}\n", group);
    }
    // A default that is another in each process must not become the same in all that read this.
    const bool own = setting.key == "instance" && !values.contains(setting.key);
    text += fmt::format("{}{} = {}  # {}\n", own ? "# " : "", setting.key, literal(setting, config),
                        source_of(setting, config, values));
  }
  return text;
}

}  // namespace

absl::StatusOr<Loaded> load(int argc, const char* const* argv, const Environment& environment,
                            std::string_view version) {
  const std::vector<Setting> table = settings();
  const absl::StatusOr<CommandLine> line = read_command_line(argc, argv, table);
  if (!line.ok()) {
    return line.status();
  }
  if (line->help) {
    return Loaded{.text = line->help, .config = {}};
  }
  if (line->version) {
    return Loaded{.text = fmt::format("stockd {}\n", version), .config = {}};
  }
  const absl::StatusOr<Values> values = merged(*line, environment, table);
  if (!values.ok()) {
    return values.status();
  }

  Loaded loaded;
  loaded.config.instance = default_instance();
  std::vector<std::string> mistakes;
  for (const Setting& setting : table) {
    const auto value = values->find(setting.key);
    if (value == values->end()) {
      continue;
    }
    if (const absl::Status status = setting.read(value->second.text, loaded.config); !status.ok()) {
      mistakes.push_back(mistake(setting, value->second, status));
    }
  }
  // What the settings say together is only worth telling once each is understood.
  if (mistakes.empty()) {
    mistakes = apply_rules(loaded.config, values->contains("layers"));
  }
  if (!mistakes.empty()) {
    return absl::InvalidArgumentError(fmt::format("{}", fmt::join(mistakes, "\n")));
  }
  if (line->print_config) {
    loaded.text = printed(loaded.config, *values, table);
  }
  return loaded;
}

}  // namespace stock::config

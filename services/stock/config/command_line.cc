#include "stock/config/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>

#include "absl/status/status.h"

namespace stock::config {
namespace {

constexpr char kDescription[] =
    "stockd: a stock service whose every answer says where it comes from and how old it is.\n"
    "A flag wins over the environment, which wins over the file (TOML, with the names of the "
    "flags\nin the form max_staleness). Flags are visible in the process list: give URLs with "
    "passwords in\nthe environment or the file.";

std::string described(const Setting& setting) {
  const std::string shown = setting.show(Config());
  const std::string standard = setting.key == "instance" ? "host name and process id"
                               : shown.empty()           ? "none"
                                                         : shown;
  return fmt::format("{}\n[{}{}default: {}; {}]", setting.help, setting.allowed,
                     setting.allowed.empty() ? "" : "; ", standard, setting.variable());
}

// The argument that nobody took: a misspelled flag rather than the value that follows it.
absl::Status unexpected(const std::vector<std::string>& arguments,
                        const std::vector<std::string>& flags) {
  for (const std::string& argument : arguments) {
    if (argument.starts_with("-")) {
      const std::string name = argument.substr(0, argument.find('='));
      return absl::InvalidArgumentError(
          unknown_name("flag", name, std::vector<std::string_view>(flags.begin(), flags.end())));
    }
  }
  return absl::InvalidArgumentError(
      fmt::format("unexpected argument {}: only flags are taken", arguments.front()));
}

}  // namespace

absl::StatusOr<CommandLine> read_command_line(int argc, const char* const* argv,
                                              const std::vector<Setting>& table) {
  CommandLine line;
  CLI::App app(kDescription, "stockd");
  app.set_help_flag();
  app.allow_extras();
  app.get_formatter()->column_width(32);

  bool help = false;
  std::string file;
  app.add_flag("-h,--help", help, "Show this and exit")->group("General");
  app.add_flag("--version", line.version, "Show the version and exit")->group("General");
  app.add_flag("--print-config", line.print_config,
               "Show the effective configuration as TOML, with its sources, and exit")
      ->group("General");
  const CLI::Option* file_flag =
      app.add_option("--config", file, fmt::format("Read this file\n[{}]", kConfigVariable))
          ->type_name("FILE")
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
          ->group("General");

  std::map<std::string_view, std::string> texts;
  std::map<std::string_view, const CLI::Option*> options;
  std::vector<std::string> flags = {"--help", "--version", "--print-config", "--config"};
  for (const Setting& setting : table) {
    options[setting.key] = app.add_option(setting.flag(), texts[setting.key], described(setting))
                               ->type_name(std::string(setting.value))
                               ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
                               ->group(std::string(setting.group));
    flags.push_back(setting.flag());
  }

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return absl::InvalidArgumentError(error.what());
  }
  if (const std::vector<std::string> extra = app.remaining(); !extra.empty()) {
    return unexpected(extra, flags);
  }
  if (help) {
    line.help = app.help();
  }
  if (file_flag->count() > 0) {
    line.file = file;
  }
  for (const Setting& setting : table) {
    if (options[setting.key]->count() > 0) {
      line.values[std::string(setting.key)] = {.text = texts[setting.key],
                                               .source = "flag " + setting.flag()};
    }
  }
  return line;
}

}  // namespace stock::config

// completion: scripts for shells, made from the command line itself so that they are never behind
// it.

#include <CLI/App.hpp>
#include <functional>
#include <string>
#include <vector>

#include "stockctl/cli/commands.h"
#include "stockctl/cli/session.h"
#include "stockctl/text/concat.h"

namespace stockctl {
namespace {

// One word that can be completed, and what it is for.
struct Choice {
  std::string word;
  std::string help;
};

// What can follow the words of `path`, which begins with "." for the program.
struct Place {
  std::string path;
  std::vector<Choice> choices;
  bool takes_file = false;
};

void add_options(const CLI::App& app, std::vector<Choice>& choices) {
  for (const CLI::Option* option : app.get_options()) {
    if (option == app.get_help_ptr()) continue;
    for (const std::string& name : option->get_lnames()) {
      choices.push_back({"--" + name, option->get_description()});
    }
  }
}

void add_places(const CLI::App& app, const std::string& path, const CLI::App& root,
                std::vector<Place>& places) {
  Place place{
      .path = path, .choices = {}, .takes_file = app.get_option_no_throw("FILE") != nullptr};
  const auto commands = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* command : commands) {
    place.choices.push_back({command->get_name(), command->get_description()});
  }
  if (app.get_name() == "completion") {
    place.choices.push_back({"bash", "For bash"});
    place.choices.push_back({"zsh", "For zsh"});
  }
  place.choices.push_back({"--help", "What it does, with examples"});
  add_options(app, place.choices);
  if (&app != &root) add_options(root, place.choices);
  places.push_back(std::move(place));
  for (const CLI::App* command : commands) {
    add_places(*command, concat(path, ' ', command->get_name()), root, places);
  }
}

std::string shell_quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

// The place of each path, one per line, as entries of a shell's associative array.
std::string entries(const std::vector<Place>& places, const std::string& separator,
                    const std::function<std::string(const Choice&)>& written,
                    const std::function<std::string(std::string)>& key) {
  std::string text;
  for (const Place& place : places) {
    std::string words;
    for (const Choice& choice : place.choices) {
      words += concat(words.empty() ? "" : separator, written(choice));
    }
    text += concat("    ", key(place.path), shell_quoted(words), "\n");
  }
  return text;
}

std::string file_paths(const std::vector<Place>& places) {
  std::string paths;
  for (const Place& place : places) {
    if (place.takes_file) paths += concat(paths.empty() ? "" : "|", shell_quoted(place.path));
  }
  return paths;
}

std::string bash_script(const std::vector<Place>& places) {
  return concat(
      "# bash completion for stockctl. Load it with: source <(stockctl completion bash)\n"
      "_stockctl() {\n"
      "  local current=${COMP_WORDS[COMP_CWORD]} place=. word\n"
      "  local -A choices=(\n",
      entries(
          places, " ", [](const Choice& choice) { return choice.word; },
          [](const std::string& path) { return concat("[", shell_quoted(path), "]="); }),
      "  )\n"
      "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
      "    [[ -n ${choices[\"$place $word\"]} ]] && place+=\" $word\"\n"
      "  done\n"
      "  case $place in\n"
      "    ",
      file_paths(places),
      ")\n"
      "      if [[ $current != -* ]]; then\n"
      "        compopt -o filenames\n"
      "        mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
      "        return\n"
      "      fi ;;\n"
      "  esac\n"
      "  mapfile -t COMPREPLY < <(compgen -W \"${choices[$place]}\" -- \"$current\")\n"
      "}\n"
      "complete -F _stockctl stockctl\n");
}

std::string zsh_script(const std::vector<Place>& places) {
  return concat(
      "#compdef stockctl\n"
      "# zsh completion for stockctl. Load it with: source <(stockctl completion zsh)\n"
      "_stockctl() {\n"
      "  local place=. word\n"
      "  local -A choices=(\n",
      entries(
          places, "\n", [](const Choice& choice) { return concat(choice.word, ':', choice.help); },
          [](const std::string& path) { return shell_quoted(path) + " "; }),
      "  )\n"
      "  for word in \"${(@)words[2,CURRENT-1]}\"; do\n"
      "    (( ${+choices[$place $word]} )) && place+=\" $word\"\n"
      "  done\n"
      "  case $place in\n"
      "    (",
      file_paths(places),
      ") [[ $PREFIX != -* ]] && { _files; return } ;;\n"
      "  esac\n"
      "  local -a all=(\"${(@f)choices[$place]}\")\n"
      "  local -a options=(${(M)all:#-*}) words=(${all:#-*})\n"
      "  if [[ $PREFIX == -* ]] || (( ! $#words )); then\n"
      "    _describe -o option options\n"
      "  else\n"
      "    _describe word words\n"
      "  fi\n"
      "}\n"
      "if [[ $funcstack[1] == _stockctl ]]; then _stockctl; else compdef _stockctl stockctl; fi\n");
}

}  // namespace

void add_completion(CLI::App& app, Session& session) {
  CLI::App& completion = *app.add_subcommand("completion", "Print a completion script for a shell");
  auto shell = std::make_shared<std::string>();
  completion.add_option("SHELL", *shell, "bash or zsh")
      ->required()
      ->type_name("")
      ->check(CLI::IsMember({"bash", "zsh"}));
  completion.footer(
      "Examples:\n"
      "  source <(stockctl completion bash)\n"
      "  stockctl completion zsh > \"${fpath[1]}/_stockctl\"");
  session.on_command(completion, [=, &app, &session]() -> absl::StatusOr<ExitCode> {
    std::vector<Place> places;
    add_places(app, ".", app, places);
    session.out() << (*shell == "bash" ? bash_script(places) : zsh_script(places));
    return kOk;
  });
}

}  // namespace stockctl

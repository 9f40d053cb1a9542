// locations: the places where stock is counted.

#include <CLI/App.hpp>
#include <string>

#include "stockctl/cli/commands.h"
#include "stockctl/cli/session.h"
#include "stockctl/view/tables.h"

namespace stockctl {
namespace {

void show_location(Session& session, const google::protobuf::Message& answer,
                   const stock::v1::Location& location) {
  session.show(answer, [&](std::ostream& out, const Terminal& terminal) {
    google::protobuf::RepeatedPtrField<stock::v1::Location> locations;
    *locations.Add() = location;
    print_locations(out, locations, terminal);
  });
}

absl::StatusOr<ExitCode> list_locations(Session& session) {
  stock::v1::ListLocationsRequest request;
  request.set_page_size(1'000);
  stock::v1::ListLocationsResponse whole;
  do {
    const auto page = session.client().call(request);
    if (!page.ok()) return page.status();
    whole.mutable_locations()->MergeFrom(page->locations());
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  session.show(whole, [&](std::ostream& out, const Terminal& terminal) {
    print_locations(out, whole.locations(), terminal);
  });
  return kOk;
}

}  // namespace

void add_locations(CLI::App& app, Session& session) {
  CLI::App& locations = *app.add_subcommand("locations", "List, create or look up locations");
  locations.require_subcommand(0, 1);
  locations.footer(
      "Examples:\n"
      "  stockctl locations\n"
      "  stockctl locations create LON --display-name 'London, Camden'\n"
      "  stockctl locations get LON");
  session.on_command(locations, [&locations, &session]() -> absl::StatusOr<ExitCode> {
    if (!locations.get_subcommands().empty()) return session.exit_code;
    return list_locations(session);
  });

  CLI::App& list = *locations.add_subcommand("list", "All of them");
  session.on_command(list, [&session] { return list_locations(session); });

  auto id = std::make_shared<std::string>();
  auto display_name = std::make_shared<std::string>();
  CLI::App& create = *locations.add_subcommand("create", "A new one; the same again is harmless");
  create.add_option("ID", *id, "Up to 64 bytes")->required()->type_name("");
  create.add_option("--display-name", *display_name, "Its name for people");
  session.on_command(create, [=, &session]() -> absl::StatusOr<ExitCode> {
    stock::v1::CreateLocationRequest request;
    request.mutable_location()->set_id(*id);
    request.mutable_location()->set_display_name(*display_name);
    const auto response = session.client().call(request);
    if (!response.ok()) return response.status();
    show_location(session, *response, response->location());
    return kOk;
  });

  CLI::App& get = *locations.add_subcommand("get", "One of them");
  get.add_option("ID", *id, "Which")->required()->type_name("");
  session.on_command(get, [=, &session]() -> absl::StatusOr<ExitCode> {
    stock::v1::GetLocationRequest request;
    request.set_id(*id);
    const auto response = session.client().call(request);
    if (!response.ok()) return response.status();
    show_location(session, *response, response->location());
    return kOk;
  });
}

}  // namespace stockctl

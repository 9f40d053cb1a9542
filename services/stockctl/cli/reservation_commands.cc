// reserve, commit, release, fulfill, reservations: the life of an order's units.

#include <CLI/App.hpp>
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "stockctl/cli/commands.h"
#include "stockctl/cli/options.h"
#include "stockctl/cli/session.h"
#include "stockctl/cli/writing.h"
#include "stockctl/text/concat.h"
#include "stockctl/text/parse.h"
#include "stockctl/text/utf8.h"
#include "stockctl/view/proto_time.h"
#include "stockctl/view/provenance_view.h"
#include "stockctl/view/reservation_view.h"
#include "stockctl/view/tables.h"

namespace stockctl {
namespace {

using stock::v1::ReservationState;

// The reservation, and the levels that moved with it.
template <typename Response>
void print_reserved(std::ostream& out, const Response& response, const Terminal& terminal) {
  print_reservation(out, response.reservation(), terminal);
  out << '\n';
  if (response.levels().empty()) return;
  print_written(out, response.levels(), terminal);
}

// "SKU@LOCATION=2" words, as lines of `request`.
template <typename Request>
absl::Status add_lines(const std::vector<std::string>& words, const std::string& location,
                       Request& request) {
  for (const std::string& word : words) {
    const absl::StatusOr<KeyAndCount> units = parse_key_and_count(word, location);
    if (!units.ok()) return units.status();
    stock::v1::ReservedUnits& line = *request.add_lines();
    *line.mutable_key() = to_proto(units->key);
    line.set_quantity(units->count);
  }
  return absl::OkStatus();
}

// Which reservation is meant, and as which it was last seen.
struct Address {
  std::string id;
  std::string etag;

  template <typename Request>
  Request request(const WriteOptions& write) const {
    Request request;
    *request.mutable_context() = write.context();
    request.set_reservation_id(id);
    request.set_etag(etag);
    return request;
  }
};

CLI::Option* add_etag(CLI::App& app, std::string& etag) {
  return app.add_option("--etag", etag, "Only if it has not changed since it had this one");
}

std::shared_ptr<Address> add_address(CLI::App& app) {
  auto address = std::make_shared<Address>();
  app.add_option("ID", address->id, "Of the reservation")->required()->type_name("");
  add_etag(app, address->etag);
  return address;
}

struct ReserveOptions {
  std::vector<std::string> words;
  std::chrono::nanoseconds ttl{};  // none was given
  std::string id;
  bool allow_partial = false;
  Address updated;
};

absl::StatusOr<ExitCode> create(Session& session, const ReserveOptions& options,
                                const std::string& location, const WriteOptions& write) {
  constexpr std::chrono::nanoseconds kTtl = std::chrono::minutes(15);
  stock::v1::CreateReservationRequest request;
  *request.mutable_context() = write.context();
  // One id for both.
  const std::string id = options.id.empty() ? request.context().request_id() : options.id;
  request.mutable_context()->set_request_id(id);
  request.set_reservation_id(id);
  *request.mutable_ttl() = to_proto(options.ttl.count() > 0 ? options.ttl : kTtl);
  request.set_allow_partial(options.allow_partial);
  if (auto status = add_lines(options.words, location, request); !status.ok()) return status;
  return stockctl::write(session, request, concat("--id ", id),
                         print_reserved<stock::v1::CreateReservationResponse>);
}

absl::StatusOr<ExitCode> update(Session& session, const ReserveOptions& options,
                                const std::string& location, const WriteOptions& write) {
  auto request = options.updated.request<stock::v1::UpdateReservationRequest>(write);
  if (options.ttl.count() > 0) *request.mutable_ttl() = to_proto(options.ttl);
  if (auto status = add_lines(options.words, location, request); !status.ok()) return status;
  return stockctl::write(session, request, print_reserved<stock::v1::UpdateReservationResponse>);
}

absl::StatusOr<ExitCode> show_one(Session& session, const std::string& id) {
  stock::v1::GetReservationRequest request;
  request.set_id(id);
  const auto response = session.client().call(request);
  if (!response.ok()) return response.status();
  session.show(*response, [&](std::ostream& out, const Terminal& terminal) {
    print_reservation(out, response->reservation(), terminal);
    print_provenance(out, response->provenance(), terminal);
  });
  return kOk;
}

absl::StatusOr<ExitCode> list(Session& session, stock::v1::ListReservationsRequest request,
                              std::size_t limit) {
  constexpr std::size_t kMaxPerCall = 1'000;
  stock::v1::ListReservationsResponse whole;
  const auto missing = [&] {
    const auto have = static_cast<std::size_t>(whole.reservations_size());
    return limit == 0 ? kMaxPerCall : std::min(kMaxPerCall, limit - have);
  };
  do {
    request.set_page_size(static_cast<int>(missing()));
    const auto page = session.client().call(request);
    if (!page.ok()) return page.status();
    whole.mutable_reservations()->MergeFrom(page->reservations());
    whole.set_next_page_token(page->next_page_token());
    merge_provenance(*whole.mutable_provenance(), page->provenance());
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty() && missing() > 0);
  session.show(whole, [&](std::ostream& out, const Terminal& terminal) {
    print_reservations(out, whole.reservations(), terminal);
    if (!whole.next_page_token().empty()) out << "There are more: --limit 0 lists all.\n";
    print_provenance(out, whole.provenance(), terminal);
  });
  return kOk;
}

}  // namespace

void add_reserve(CLI::App& app, Session& session) {
  CLI::App& reserve = *app.add_subcommand("reserve", "Hold units for a time, or change a hold");
  auto options = std::make_shared<ReserveOptions>();
  reserve.add_option("UNITS", options->words, "SKU=2 or SKU@LOCATION=2")->type_name("");
  const auto location = add_location(reserve);
  add_duration(reserve, "--ttl", options->ttl, "How long, from now on: 1s to 24h (default 15m)");
  CLI::Option* id = reserve.add_option("--id", options->id, "A UUID; the same one is made once")
                        ->type_name("UUID");
  CLI::Option* partial = reserve.add_flag("--allow-partial", options->allow_partial,
                                          "Hold what there is, if it is anything");
  CLI::Option* updated = reserve
                             .add_option("--update", options->updated.id,
                                         "Change this hold: its units, when it ends, or both")
                             ->type_name("ID")
                             ->excludes(id)
                             ->excludes(partial);
  add_etag(reserve, options->updated.etag)->needs(updated);
  const auto write = add_write_options(reserve);
  reserve.get_option("--request-id")->needs(updated);
  reserve.footer(
      "Examples:\n"
      "  stockctl reserve LANTERN-42@LON=2 MUG-RED@LON=1 --ttl 15m --reference order/536365\n"
      "  stockctl reserve LANTERN-42@LON=3 --update ID   these units in place of the others\n"
      "  stockctl reserve --update ID --ttl 1h           the same units, for longer\n"
      "All lines are held, or none; what can be held is available plus backorders.\n"
      "Exit code 1 when something is short.");
  session.on_command(reserve, [=, &session]() -> absl::StatusOr<ExitCode> {
    return options->updated.id.empty() ? create(session, *options, *location, *write)
                                       : update(session, *options, *location, *write);
  });
}

void add_commit(CLI::App& app, Session& session) {
  CLI::App& commit = *app.add_subcommand("commit", "Make a hold a sale");
  const auto address = add_address(commit);
  const auto write = add_write_options(commit);
  commit.footer(
      "Examples:\n"
      "  stockctl commit 0d5a1c9e-7c1d-4f6a-9a54-0d6c4d1f2e11 --reason paid\n"
      "It never fails for lack of stock. Exit code 1 when the hold has ended.");
  session.on_command(commit, [=, &session]() -> absl::StatusOr<ExitCode> {
    return stockctl::write(session, address->request<stock::v1::CommitReservationRequest>(*write),
                           print_reserved<stock::v1::CommitReservationResponse>);
  });
}

void add_release(CLI::App& app, Session& session) {
  CLI::App& release = *app.add_subcommand("release", "Give units back: of a hold, or of a sale");
  const auto address = add_address(release);
  const auto write = add_write_options(release);
  release.footer(
      "Examples:\n"
      "  stockctl release 0d5a1c9e-7c1d-4f6a-9a54-0d6c4d1f2e11 --reason 'cart emptied'\n"
      "Of a sale, what has been shipped stays shipped.");
  session.on_command(release, [=, &session]() -> absl::StatusOr<ExitCode> {
    return stockctl::write(session, address->request<stock::v1::ReleaseReservationRequest>(*write),
                           print_reserved<stock::v1::ReleaseReservationResponse>);
  });
}

void add_fulfill(CLI::App& app, Session& session) {
  CLI::App& fulfill = *app.add_subcommand("fulfill", "Ship a sale, or a part of it");
  const auto address = add_address(fulfill);
  auto words = std::make_shared<std::vector<std::string>>();
  fulfill.add_option("UNITS", *words, "SKU=2 or SKU@LOCATION=2 (default: all that is left)")
      ->type_name("");
  const auto location = add_location(fulfill);
  const auto write = add_write_options(fulfill);
  fulfill.footer(
      "Examples:\n"
      "  stockctl fulfill 0d5a1c9e-7c1d-4f6a-9a54-0d6c4d1f2e11\n"
      "  stockctl fulfill 0d5a1c9e-7c1d-4f6a-9a54-0d6c4d1f2e11 LANTERN-42@LON=1");
  session.on_command(fulfill, [=, &session]() -> absl::StatusOr<ExitCode> {
    auto request = address->request<stock::v1::FulfillReservationRequest>(*write);
    if (auto status = add_lines(*words, *location, request); !status.ok()) return status;
    return stockctl::write(session, request, print_reserved<stock::v1::FulfillReservationResponse>);
  });
}

void add_reservations(CLI::App& app, Session& session) {
  CLI::App& reservations =
      *app.add_subcommand("reservations", "What is reserved, for whom and for how long");
  struct Options {
    std::string id;
    ReservationState state = stock::v1::RESERVATION_STATE_UNSPECIFIED;
    std::string key;
    std::size_t limit = 100;
  };
  auto options = std::make_shared<Options>();
  CLI::Option* id = reservations.add_option("ID", options->id, "This one in detail")->type_name("");
  reservations
      .add_option_function<std::string>(
          "--state",
          [options](const std::string& word) {
            const auto state = state_named(word);
            if (!state) {
              throw CLI::ValidationError(
                  "--state", concat("\"", printable(word),
                                    "\" is not held, committed, fulfilled, released or expired"));
            }
            options->state = *state;
          },
          "Only held, committed, fulfilled, released or expired ones")
      ->type_name("STATE")
      ->excludes(id);
  reservations.add_option("--key", options->key, "Only those with units of SKU@LOCATION")
      ->type_name("KEY")
      ->excludes(id);
  const auto location = add_location(reservations);
  reservations.add_option("--limit", options->limit, "At most so many (default 100; 0: all)")
      ->type_name("N");
  const auto read = add_read_options(reservations);
  reservations.footer(
      "Examples:\n"
      "  stockctl reservations --state held --key LANTERN-42@LON\n"
      "  stockctl reservations 0d5a1c9e-7c1d-4f6a-9a54-0d6c4d1f2e11\n"
      "  stockctl reservations --limit 0 --json | jq -r '.reservations[].id'\n"
      "In order of id. One in detail is read from the primary.");
  session.on_command(reservations, [=, &session]() -> absl::StatusOr<ExitCode> {
    if (!options->id.empty()) return show_one(session, options->id);
    stock::v1::ListReservationsRequest request;
    request.set_state(options->state);
    if (!options->key.empty()) {
      *request.mutable_key() = to_proto(parse_key(options->key, *location));
    }
    *request.mutable_consistency() = read->consistency();
    return list(session, std::move(request), options->limit);
  });
}

}  // namespace stockctl

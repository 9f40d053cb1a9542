// import, replay: whole files.

#include <CLI/App.hpp>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "stockctl/cli/commands.h"
#include "stockctl/cli/load_summary.h"
#include "stockctl/cli/options.h"
#include "stockctl/cli/session.h"
#include "stockctl/files/opening_stock.h"
#include "stockctl/files/request_id.h"
#include "stockctl/load/data_file.h"
#include "stockctl/load/importer.h"
#include "stockctl/load/interrupt.h"
#include "stockctl/load/line_report.h"
#include "stockctl/load/replayer.h"
#include "stockctl/text/concat.h"
#include "stockctl/text/utf8.h"

namespace stockctl {
namespace {

using Clock = std::chrono::steady_clock;

// Asks for all locations of a file before anything of it is written.
absl::Status check_locations(Client& client, const StringTable& locations) {
  std::string commands;
  for (std::uint32_t i = 0; i < locations.size(); ++i) {
    stock::v1::GetLocationRequest request;
    request.set_id(locations[i]);
    const auto response = client.call(request);
    if (response.ok()) continue;
    if (!absl::IsNotFound(response.status())) return response.status();
    commands += concat("\n  stockctl locations create '", locations[i], "' --display-name NAME");
  }
  if (commands.empty()) return absl::OkStatus();
  return absl::NotFoundError(
      concat("nothing was done: these locations do not exist yet. Create them first:", commands));
}

BadLineSink sink(LineReport& report) {
  return [&report](std::int64_t line, std::string_view reason) { report.add(line, reason); };
}

struct LoadOptions {
  std::string file;
  std::chrono::nanoseconds retry_for = std::chrono::seconds(60);
};

void add_load_options(CLI::App& app, LoadOptions& options) {
  app.add_option("FILE", options.file, "FILE.csv, FILE.csv.xz, or - (standard input)")
      ->required()
      ->type_name("");
  add_duration(app, "--retry-for", options.retry_for, "Give up after so long (default 60s)");
}

struct ImportArguments : LoadOptions {
  std::int64_t margin = 10;
  bool again = false;
};

absl::StatusOr<ExitCode> run_import(Session& session, const ImportArguments& arguments,
                                    const std::string& location, const WriteOptions& write) {
  LineReport bad(arguments.file, "bad",
                 [&](std::string_view text) { session.err() << text << '\n'; });
  absl::StatusOr<DataFile> file = read_data_file(arguments.file, location, sink(bad));
  if (!file.ok()) return file.status();
  // The margin changes what is made of sales, and nothing else does.
  std::string words = concat("catalogue at ", location);
  if (Sales* sales = std::get_if<Sales>(&file->content)) {
    words = concat("sales at ", location, " margin ", arguments.margin);
    StockTable stock = opening_stock(std::move(*sales), arguments.margin, sink(bad));
    file->content = std::move(stock);
  }
  if (arguments.again) words += concat(" again ", random_request_id());
  StockTable& stock = std::get<StockTable>(file->content);
  if (auto status = check_locations(session.client(), stock.keys.locations()); !status.ok()) {
    return status;
  }
  const ImportOptions options{.digest = file->digest,
                              .words = words,
                              .context = write.context(),
                              .in_flight = 8,
                              .retry_for = arguments.retry_for};
  const auto total = static_cast<std::int64_t>(stock.rows.size());
  catch_interrupts();
  const Clock::time_point began = Clock::now();
  Progress progress(session.err(), session.err_terminal(), "import", "rows", total, began);
  bad.set_say([&](std::string_view text) { progress.say(text); });
  const ImportSummary summary =
      import_levels(session.client_options(), std::move(stock), options, bad, progress);
  const std::chrono::nanoseconds time = Clock::now() - began;
  progress.finish();
  bad.finish();
  return show_summary(session, {.what = "import",
                                .file = arguments.file,
                                .unit = "rows",
                                .total = total,
                                .done = summary.rows,
                                .time = time,
                                .counts = {{"changed", summary.changed},
                                           {"unchanged", summary.unchanged},
                                           {"already applied", summary.already_applied},
                                           {"bad", bad.count()}},
                                .faults = bad.count(),
                                .stopped = summary.stopped});
}

// One of so many.
struct Part {
  std::uint32_t number = 1;
  std::uint32_t of = 1;
};

Part part_from(const std::string& text) {
  Part part;
  int end = 0;
  if (std::sscanf(text.c_str(), "%9u/%9u%n", &part.number, &part.of, &end) != 2 ||
      static_cast<std::size_t>(end) != text.size() || part.number < 1 || part.number > part.of) {
    throw CLI::ValidationError("--part", concat("\"", printable(text), "\" is not like 1/2"));
  }
  return part;
}

struct ReplayArguments : LoadOptions {
  std::size_t in_flight = 64;
  std::optional<double> speed;
  std::optional<std::size_t> limit;
  Part part;
};

// The first `limit` lines, and what else is of the last invoice.
void cut(std::vector<SalesLine>& lines, std::size_t limit) {
  while (limit > 0 && limit < lines.size() && lines[limit].invoice == lines[limit - 1].invoice) {
    ++limit;
  }
  if (limit < lines.size()) lines.resize(limit);
}

absl::StatusOr<ExitCode> run_replay(Session& session, const ReplayArguments& arguments,
                                    const std::string& location, const std::string& actor) {
  LineReport bad(arguments.file, "bad",
                 [&](std::string_view text) { session.err() << text << '\n'; });
  absl::StatusOr<DataFile> file = read_data_file(arguments.file, location, sink(bad));
  if (!file.ok()) return file.status();
  Sales* sales = std::get_if<Sales>(&file->content);
  if (sales == nullptr) {
    return absl::InvalidArgumentError(
        concat(arguments.file, " is a catalogue, not a sales file; stockctl import takes it"));
  }
  if (arguments.limit) cut(sales->lines, *arguments.limit);
  std::erase_if(sales->lines, [&](const SalesLine& line) {
    return line.invoice % arguments.part.of != arguments.part.number - 1;
  });
  if (auto status = check_locations(session.client(), sales->keys.locations()); !status.ok()) {
    return status;
  }
  const ReplayOptions options{.digest = file->digest,
                              .words = concat("at ", location),
                              .actor = actor,
                              .in_flight = arguments.in_flight,
                              .speed = arguments.speed,
                              .retry_for = arguments.retry_for};
  catch_interrupts();
  const auto total = static_cast<std::int64_t>(sales->lines.size());
  Progress progress(session.err(), session.err_terminal(), "replay", "lines", total, Clock::now());
  bad.set_say([&](std::string_view text) { progress.say(text); });
  LineReport refused(arguments.file, "refused", [&](std::string_view text) { progress.say(text); });
  Replayer replayer(session.client_options(), *sales, options, refused, bad);
  const ReplaySummary summary = replayer.run(progress);
  progress.finish();
  refused.finish();
  bad.finish();
  return show_summary(session, {.what = "replay",
                                .file = arguments.file,
                                .unit = "lines",
                                .total = total,
                                .done = summary.done(),
                                .time = summary.time,
                                .counts = {{"sold", summary.sold},
                                           {"brought back", summary.brought_back},
                                           {"already applied", summary.already_applied},
                                           {"refused", refused.count()},
                                           {"bad", bad.count()},
                                           {"retries", summary.retries}},
                                .faults = refused.count() + bad.count(),
                                .stopped = summary.stopped});
}

}  // namespace

void add_import(CLI::App& app, Session& session) {
  CLI::App& import = *app.add_subcommand("import", "Set the stock of a whole file");
  auto arguments = std::make_shared<ImportArguments>();
  add_load_options(import, *arguments);
  const auto location = add_location(import);
  import.add_option("--margin", arguments->margin, "From sales: units on top (default 10)")
      ->type_name("N")
      ->check(CLI::Range(std::int64_t{0}, kMaxCount));
  import.add_flag("--again", arguments->again, "Set what this file had set before, once more");
  const auto write = add_bulk_write_options(import);
  import.footer(
      "Two kinds of files, told apart by their first line:\n"
      "  SKU,Location,OnHand,SafetyStock,Description   a catalogue: sets these counts\n"
      "  InvoiceNo,StockCode,...,Quantity,InvoiceDate  sales: sets, for each SKU, what\n"
      "                        is enough to sell all of them in order, plus the margin\n"
      "Without a Location column all of it is at --location. Other columns are ignored.\n"
      "Running it again takes it up where it stopped, and changes nothing after that.\n"
      "\n"
      "Examples:\n"
      "  stockctl import catalogue.csv\n"
      "  stockctl import online-retail.csv.xz --location main --margin 50\n"
      "Bad lines are told and counted, the others applied; exit code 6 then.");
  session.on_command(import,
                     [=, &session] { return run_import(session, *arguments, *location, *write); });
}

void add_replay(CLI::App& app, Session& session) {
  CLI::App& replay =
      *app.add_subcommand("replay", "Sell the invoices of a sales file, in order of time");
  auto arguments = std::make_shared<ReplayArguments>();
  auto actor = std::make_shared<std::string>("replay");
  add_load_options(replay, *arguments);
  const auto location = add_location(replay);
  replay.add_option("--speed", arguments->speed, "So many times real time (default: at once)")
      ->type_name("X")
      ->check(CLI::PositiveNumber);
  replay.add_option("--in-flight", arguments->in_flight, "Invoices at the same time (default 64)")
      ->type_name("N")
      ->check(CLI::Range(std::size_t{1}, std::size_t{4'096}));
  replay.add_option("--limit", arguments->limit, "Only so many lines, and their invoices' others")
      ->type_name("N");
  replay
      .add_option_function<std::string>(
          "--part", [arguments](const std::string& text) { arguments->part = part_from(text); },
          "Only each Nth invoice, from the Kth")
      ->type_name("K/N");
  replay.add_option("--actor", *actor, "Kept with the movements (default replay)");
  replay.footer(
      "What an invoice sells is reserved, all of it or none, committed and fulfilled;\n"
      "quantities below 0 bring stock back. Invoices overtake each other, but not those\n"
      "that bring back what others sell. Running it again applies what is missing.\n"
      "\n"
      "Examples:\n"
      "  stockctl import sales.csv && stockctl replay sales.csv\n"
      "  stockctl replay sales.csv --speed 3600   an hour of sales each second\n"
      "  stockctl replay sales.csv --part 1/2     while another one replays 2/2\n"
      "Parts do not wait for each other: import with a --margin that covers what comes\n"
      "back. Refused and bad lines are told and counted; exit code 6 then. Ctrl-C ends\n"
      "it when what has begun is done; a second one at once.");
  session.on_command(replay,
                     [=, &session] { return run_replay(session, *arguments, *location, *actor); });
}

}  // namespace stockctl

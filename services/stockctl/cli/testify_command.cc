// testify: what a layer outside the service believes, and what the ledger says of that.

#include <google/protobuf/util/json_util.h>

#include <CLI/App.hpp>
#include <fstream>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "stockctl/cli/commands.h"
#include "stockctl/cli/options.h"
#include "stockctl/cli/session.h"
#include "stockctl/load/line_report.h"
#include "stockctl/text/concat.h"
#include "stockctl/text/format.h"
#include "stockctl/text/parse.h"
#include "stockctl/view/explain_view.h"
#include "stockctl/view/json.h"
#include "stockctl/view/proto_time.h"

namespace stockctl {
namespace {

constexpr int kAtOnce = 500;

struct Options {
  std::string word;
  std::string location;
  std::string witness;
  std::string instance;
  std::string cohort;
  std::optional<std::int64_t> available;
  std::optional<bool> in_stock;
  bool absent = false;
  std::optional<std::int64_t> sold;
  std::optional<Instant> from;
  std::optional<Instant> until;
  std::int64_t version = 0;
  std::optional<std::chrono::nanoseconds> age;
  std::string file;
};

stock::v1::Testimony testimony(const Options& options) {
  const StockKey key = parse_key(options.word, options.location);
  stock::v1::Testimony said;
  said.set_witness(options.witness);
  said.set_instance(options.instance);
  said.set_cohort(options.cohort);
  said.mutable_key()->set_sku(key.sku);
  said.mutable_key()->set_location(key.location);
  if (options.available) said.set_available(*options.available);
  if (options.in_stock) said.set_in_stock(*options.in_stock);
  if (options.absent) said.set_absent(true);
  if (options.sold) {
    said.mutable_sold()->set_units(*options.sold);
    if (options.from) *said.mutable_sold()->mutable_from() = to_proto(*options.from);
    if (options.until) *said.mutable_sold()->mutable_until() = to_proto(*options.until);
  }
  said.set_version(options.version);
  if (options.age) *said.mutable_age() = to_proto(*options.age);
  return said;
}

bool lies(const stock::v1::SubmitTestimoniesResponse& response) {
  for (const auto& judged : response.judged()) {
    if (is_lie(judged.finding().verdict())) return true;
  }
  return false;
}

// Line by line, some at a time: what the ledger contradicts is shown, and every line with which
// something is wrong.
class Lines {
 public:
  Lines(Session& session, const std::string& path)
      : session_(session),
        report_(path, "bad", [&session](std::string_view text) { session.err() << text << '\n'; }) {
  }

  absl::StatusOr<ExitCode> run(std::istream& in) {
    for (std::string line; std::getline(in, line);) {
      ++line_;
      if (line.empty()) continue;
      stock::v1::Testimony said;
      const auto status = google::protobuf::util::JsonStringToMessage(line, &said);
      if (!status.ok()) {
        report_.add(line_, std::string(status.message()));
        continue;
      }
      *request_.add_testimonies() = std::move(said);
      lines_.push_back(line_);
      if (request_.testimonies_size() < kAtOnce) continue;
      if (absl::Status sent = send(); !sent.ok()) return sent;
    }
    if (absl::Status sent = send(); !sent.ok()) return sent;
    report_.finish();
    session_.err() << format_count(judged_) << " testimonies were judged, "
                   << format_count(contradicted_) << " are contradicted by the ledger, "
                   << format_count(report_.count()) << " lines were bad\n";
    return contradicted_ + report_.count() > 0 ? kRefused : kOk;
  }

 private:
  // Where one is refused, one by one: the others are to be heard.
  absl::Status send() {
    if (request_.testimonies().empty()) return absl::OkStatus();
    const auto response = session_.client().call(request_);
    if (response.ok()) {
      show(*response);
    } else if (absl::IsInvalidArgument(response.status()) && request_.testimonies_size() > 1) {
      const auto all = std::exchange(request_, {});
      const auto lines = std::exchange(lines_, {});
      for (int i = 0; i < all.testimonies_size(); ++i) {
        *request_.add_testimonies() = all.testimonies(i);
        lines_ = {lines[static_cast<std::size_t>(i)]};
        if (absl::Status status = send(); !status.ok()) return status;
      }
    } else if (absl::IsInvalidArgument(response.status())) {
      report_.add(lines_.front(), std::string(response.status().message()));
    } else {
      return response.status();
    }
    request_.Clear();
    lines_.clear();
    return absl::OkStatus();
  }

  void show(const stock::v1::SubmitTestimoniesResponse& response) {
    judged_ += response.judged_size();
    stock::v1::SubmitTestimoniesResponse accused;
    for (const auto& judged : response.judged()) {
      if (session_.json) session_.out() << to_json_line(judged);
      if (is_lie(judged.finding().verdict())) *accused.add_judged() = judged;
    }
    contradicted_ += accused.judged_size();
    if (session_.json || accused.judged().empty()) return;
    print_testimonies(session_.out(), accused, session_.out_terminal());
  }

  Session& session_;
  LineReport report_;
  stock::v1::SubmitTestimoniesRequest request_;
  std::vector<std::int64_t> lines_;  // of the request's
  std::int64_t line_ = 0;
  std::int64_t judged_ = 0;
  std::int64_t contradicted_ = 0;
};

}  // namespace

void add_testify(CLI::App& app, Session& session) {
  CLI::App& testify =
      *app.add_subcommand("testify", "Say what a layer outside believes, and hear the verdict");
  auto options = std::make_shared<Options>();
  testify.add_option("KEY", options->word, "SKU or SKU@LOCATION")->type_name("");
  testify.add_option("-l,--location", options->location, "Its location");
  testify.add_option("-w,--witness", options->witness, "Who says so: storefront, offline...");
  testify.add_option("--instance", options->instance, "Which of them: a tab, a phone, a host");
  testify.add_option("--cohort", options->cohort, "Whom it is told to");
  testify.add_option("--available", options->available, "So many are available")->type_name("N");
  testify.add_option("--in-stock", options->in_stock, "Whether anything is available: true, false")
      ->type_name("BOOL");
  testify.add_flag("--absent", options->absent, "There is no such level");
  testify.add_option("--sold", options->sold, "So many were sold, --from until --until")
      ->type_name("N");
  add_instant(testify, "--from", options->from, "Of units sold: the first instant");
  add_instant(testify, "--until", options->until, "Of units sold: the instant after the last");
  testify.add_option("--version", options->version, "It believes this to be version N")
      ->type_name("N");
  auto age = std::make_shared<std::chrono::nanoseconds>(0);
  CLI::Option* const old = add_duration(testify, "--age", *age, "It was true so long ago");
  testify
      .add_option("--file", options->file,
                  "Testimonies as JSON, one per line; - is the standard input")
      ->type_name("FILE");
  testify.footer(
      "Examples:\n"
      "  stockctl testify LANTERN-42@LON --witness storefront --available 42\n"
      "  stockctl testify LANTERN-42@LON --witness offline --available 42 --age 2h\n"
      "  stockctl testify LANTERN-42 --witness analytics --sold 7 --from 02:00 --until 03:00\n"
      "  echo '{\"witness\": \"flags\", \"key\": {\"sku\": \"MUG-RED\", \"location\": \"LON\"}, "
      "\"inStock\": true}' |\n"
      "    stockctl testify --file -\n"
      "Testimony never changes stock. Exit code 1 when the ledger contradicts it.");
  session.on_command(testify, [=, &session]() -> absl::StatusOr<ExitCode> {
    if (options->file == "-") return Lines(session, "standard input").run(std::cin);
    if (!options->file.empty()) {
      std::ifstream in(options->file);
      if (!in) {
        return absl::NotFoundError(concat("cannot read ", options->file));
      }
      return Lines(session, options->file).run(in);
    }
    if (old->count() > 0) options->age = *age;
    stock::v1::SubmitTestimoniesRequest request;
    *request.add_testimonies() = testimony(*options);
    const auto response = session.client().call(request);
    if (!response.ok()) return response.status();
    session.show(*response, [&](std::ostream& out, const Terminal& terminal) {
      print_testimonies(out, *response, terminal);
    });
    return lies(*response) ? kRefused : kOk;
  });
}

}  // namespace stockctl

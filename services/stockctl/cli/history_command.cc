// history: what happened to a count, and who did it.

#include <CLI/App.hpp>
#include <algorithm>
#include <string>

#include "stockctl/cli/commands.h"
#include "stockctl/cli/options.h"
#include "stockctl/cli/session.h"
#include "stockctl/text/concat.h"
#include "stockctl/text/parse.h"
#include "stockctl/text/utf8.h"
#include "stockctl/view/provenance_view.h"
#include "stockctl/view/tables.h"

namespace stockctl {

void add_history(CLI::App& app, Session& session) {
  CLI::App& history = *app.add_subcommand("history", "What happened to a count, newest first");
  struct Options {
    std::string word;
    std::size_t limit = 20;
  };
  auto options = std::make_shared<Options>();
  history.add_option("KEY", options->word, "SKU or SKU@LOCATION")->required()->type_name("");
  const auto location = add_location(history);
  history.add_option("--limit", options->limit, "At most so many (default 20; 0: all)")
      ->type_name("N");
  const auto read = add_read_options(history);
  history.footer(
      "Examples:\n"
      "  stockctl history LANTERN-42@LON\n"
      "  stockctl history LANTERN-42@LON --limit 0 --json\n"
      "A movement of kind \"direct\" is a change by SQL, around the service.\n"
      "Exit code 3 when nothing ever happened to it.");
  session.on_command(history, [=, &session]() -> absl::StatusOr<ExitCode> {
    constexpr std::size_t kMaxPerCall = 1'000;
    const StockKey key = parse_key(options->word, *location);
    stock::v1::ListStockMovementsRequest request;
    *request.mutable_key() = to_proto(key);
    *request.mutable_consistency() = read->consistency();
    stock::v1::ListStockMovementsResponse whole;
    const auto missing = [&] {
      const auto have = static_cast<std::size_t>(whole.movements_size());
      return options->limit == 0 ? kMaxPerCall : std::min(kMaxPerCall, options->limit - have);
    };
    do {
      request.set_page_size(static_cast<int>(missing()));
      const auto page = session.client().call(request);
      if (!page.ok()) return page.status();
      whole.mutable_movements()->MergeFrom(page->movements());
      whole.set_next_page_token(page->next_page_token());
      merge_provenance(*whole.mutable_provenance(), page->provenance());
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty() && missing() > 0);
    session.show(whole, [&](std::ostream& out, const Terminal& terminal) {
      out << styled(concat(printable(key.sku), " @ ", printable(key.location)), Style::kBold,
                    terminal)
          << "\n\n";
      if (whole.movements().empty()) {
        out << "Nothing ever happened to it.\n";
      } else {
        print_history(out, whole, terminal);
      }
      if (!whole.next_page_token().empty()) out << "There are more: --limit 0 lists all.\n";
      print_provenance(out, whole.provenance(), terminal);
    });
    return whole.movements().empty() ? kNotFound : kOk;
  });
}

}  // namespace stockctl

#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "stock/v1/stock_service.pb.h"
#include "stockctl/cli/cli11.h"
#include "stockctl/cli/session.h"
#include "stockctl/files/stock_key.h"
#include "stockctl/text/format.h"

namespace stockctl {

// Options that several commands share. Each add_ function returns where the values will be once the
// command line is parsed; the commands' callbacks keep it.

CLI::Option* add_duration(CLI::App& app, const std::string& name, std::chrono::nanoseconds& value,
                          const std::string& help);

CLI::Option* add_instant(CLI::App& app, const std::string& name, std::optional<Instant>& value,
                         const std::string& help);

struct ReadOptions {
  std::optional<std::chrono::nanoseconds> max_staleness;
  bool fully_consistent = false;
  std::optional<std::string> token;
  std::optional<Instant> at;
  std::optional<std::int64_t> version;
  bool allow_stale = false;

  // Throws what CLI11 throws for wrong usage when more than one was asked for.
  stock::v1::Consistency consistency() const;
};
// What a command can show of the past.
enum class Past {
  kNothing,
  kInstant,           // --at
  kInstantOrVersion,  // and --version
};
std::shared_ptr<ReadOptions> add_read_options(CLI::App& app, Past past = Past::kNothing);

struct WriteOptions {
  std::string reason;
  std::string reference;
  std::string actor;
  std::string request_id;

  // Makes up a request_id when none was given, so that it can be named when no answer comes.
  stock::v1::WriteContext context() const;
};
std::shared_ptr<WriteOptions> add_write_options(CLI::App& app);
// The same without --request-id, for commands that make many.
std::shared_ptr<WriteOptions> add_bulk_write_options(CLI::App& app);

// --reason and --actor, for what is kept elsewhere than with a movement.
struct Who {
  std::string actor;
  std::string reason;
};
std::shared_ptr<Who> add_who(CLI::App& app);

// --target, for commands that ask several instances side by side.
std::shared_ptr<std::vector<std::string>> add_targets(CLI::App& app);
// Asks each target, or else --address. What one of them could not answer is told, and the others
// are asked all the same; the exit code is that of the last failure.
ExitCode for_each_target(Session& session, const std::vector<std::string>& targets,
                         const std::function<absl::Status(Client&)>& ask);

// --location, with "main" or STOCKCTL_LOCATION as default.
std::shared_ptr<std::string> add_location(CLI::App& app);

stock::v1::Key to_proto(const StockKey& key);

// The words, where "-" stands for the lines of the standard input.
std::vector<std::string> with_standard_input(const std::vector<std::string>& words);

}  // namespace stockctl

#pragma once

#include "stockctl/cli/cli11.h"

namespace stockctl {

class Session;

// Each adds one subcommand, with its options, help and examples. `session` outlives `app`.
void add_get(CLI::App& app, Session& session);
void add_batch(CLI::App& app, Session& session);
void add_total(CLI::App& app, Session& session);
void add_list(CLI::App& app, Session& session);
void add_check(CLI::App& app, Session& session);
void add_history(CLI::App& app, Session& session);
void add_watch(CLI::App& app, Session& session);
void add_stream(CLI::App& app, Session& session);
void add_adjust(CLI::App& app, Session& session);
void add_set(CLI::App& app, Session& session);
void add_move(CLI::App& app, Session& session);
void add_settings(CLI::App& app, Session& session);
void add_reserve(CLI::App& app, Session& session);
void add_commit(CLI::App& app, Session& session);
void add_release(CLI::App& app, Session& session);
void add_fulfill(CLI::App& app, Session& session);
void add_reservations(CLI::App& app, Session& session);
void add_import(CLI::App& app, Session& session);
void add_replay(CLI::App& app, Session& session);
void add_fsck(CLI::App& app, Session& session);
void add_ledger(CLI::App& app, Session& session);
void add_prune(CLI::App& app, Session& session);
void add_locations(CLI::App& app, Session& session);
void add_explain(CLI::App& app, Session& session);
void add_audit(CLI::App& app, Session& session);
void add_repair(CLI::App& app, Session& session);
void add_testify(CLI::App& app, Session& session);
void add_incidents(CLI::App& app, Session& session);
void add_flags(CLI::App& app, Session& session);
void add_layers(CLI::App& app, Session& session);
void add_layer(CLI::App& app, Session& session);
void add_completion(CLI::App& app, Session& session);
void add_version(CLI::App& app, Session& session);

}  // namespace stockctl

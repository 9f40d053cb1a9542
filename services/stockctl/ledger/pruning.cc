#include "stockctl/ledger/pruning.h"

#include <limits>
#include <utility>

#include "stockctl/ledger/database.h"
#include "stockctl/text/concat.h"

namespace stockctl {
namespace {

constexpr const char* kHorizon = R"(
SELECT greatest(at, clock_timestamp() - make_interval(secs => $1)) FROM stock.horizon)";
constexpr const char* kMoveHorizon = R"(
UPDATE stock.horizon SET at = greatest(at, clock_timestamp() - make_interval(secs => $1))
RETURNING at)";

constexpr const char* kMovements =
    "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'stock.movement'::regclass";

// By the blocks of their tables, since no index is in order of time. As the triggers want them.
struct Kind {
  const char* table;
  const char* over;  // $3: the horizon
};
constexpr Kind kRequests = {"stock.request", "at <= $3::timestamptz"};
constexpr Kind kReservations = {"stock.reservation",
                                "state IN ('FULFILLED', 'RELEASED', 'EXPIRED')"
                                " AND updated_at <= $3::timestamptz - interval '1 minute'"};
constexpr std::int64_t kBlocks = 128;

std::string blocks_of(const Kind& kind) {
  return concat("SELECT pg_relation_size('", kind.table,
                "') / current_setting('block_size')::bigint");
}

std::string remove_in_blocks(const Kind& kind, bool dry_run) {
  const std::string which =
      concat(" FROM ", kind.table, " WHERE ctid >= concat('(', $1::bigint, ',0)')::tid",
             " AND ctid < concat('(', $2::bigint, ',0)')::tid AND ", kind.over);
  return dry_run ? concat("SELECT count(*)", which)
                 : concat("WITH gone AS (DELETE", which, " RETURNING 1) SELECT count(*) FROM gone");
}

// In order of (sku, location, version), from $1, $2, $3 on: of each key what comes before the
// newest of the movements in sight that is behind the horizon. So what is left of a key has no
// gaps, whenever this is interrupted.
std::string remove_movements(bool dry_run) {
  constexpr const char* kSuperseded = R"(
  SELECT seen.row FROM seen JOIN kept USING (sku, location) WHERE seen.version < kept.version)";
  return concat(R"(
WITH seen AS MATERIALIZED (
  SELECT ctid AS row, sku, location, version,
         stock.committed_at(xmin, xid, at) <= $5::timestamptz AS behind
  FROM stock.movement
  WHERE (sku, location, version) >= ($1::text, $2::text, $3::bigint)
  ORDER BY sku, location, version LIMIT $4::bigint),
kept AS (SELECT sku, location, max(version) AS version FROM seen WHERE behind GROUP BY sku, location),
gone AS ()",
                dry_run ? kSuperseded
                        : concat("DELETE FROM stock.movement WHERE ctid = ANY (ARRAY(", kSuperseded,
                                 ")) RETURNING 1"),
                R"()
SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM seen), sku, location, version, behind::int
FROM seen ORDER BY sku DESC, location DESC, version DESC LIMIT 1)");
}

// One run.
class Run {
 public:
  Run(Database& database, const LedgerPruning::Options& options,
      const std::function<bool(const LedgerPruning::Tally&)>& go_on)
      : database_(database), options_(options), go_on_(go_on) {}

  // Requests first: those that are left name movements that are left.
  LedgerPruning::Tally operator()() {
    const auto seconds = static_cast<std::int64_t>(options_.older_than.count());
    exec("SET TimeZone = 'UTC'");
    tally_.horizon =
        exec(options_.dry_run ? kHorizon : kMoveHorizon, seconds)[0][0].as<std::string>();
    tally_.total = exec(kMovements)[0][0].as<std::int64_t>();
    tally_.complete = by_block(kRequests, tally_.requests) &&
                      by_block(kReservations, tally_.reservations) && movements();
    return tally_;
  }

 private:
  template <typename... Parameters>
  pqxx::result exec(const std::string& statement, const Parameters&... parameters) {
    pqxx::work transaction(database_.pq);
    pqxx::result rows = transaction.exec_params(statement, parameters...);
    transaction.commit();
    return rows;
  }

  // False: interrupted.
  bool by_block(const Kind& kind, std::int64_t& removed) {
    const auto blocks = exec(blocks_of(kind))[0][0].as<std::int64_t>();
    const std::string statement = remove_in_blocks(kind, options_.dry_run);
    for (std::int64_t block = 0; block < blocks; block += kBlocks) {
      removed += exec(statement, block, block + kBlocks, tally_.horizon)[0][0].as<std::int64_t>();
      if (!go_on_(tally_)) return false;
    }
    return true;
  }

  bool movements() {
    const std::string statement = remove_movements(options_.dry_run);
    std::string sku;
    std::string location;
    std::int64_t version = 0;
    while (true) {
      const pqxx::result rows =
          exec(statement, sku, location, version, options_.rows, tally_.horizon);
      if (rows.empty()) return true;
      const auto seen = rows[0][1].as<std::int64_t>();
      tally_.movements += rows[0][0].as<std::int64_t>();
      tally_.looked_at += seen;
      sku = rows[0][2].as<std::string>();
      location = rows[0][3].as<std::string>();
      // What follows on one that is not behind the horizon is not either.
      const bool behind = rows[0][5].as<int>() != 0;
      version = behind ? rows[0][4].as<std::int64_t>() : std::numeric_limits<std::int64_t>::max();
      if (seen < options_.rows) return true;
      if (!go_on_(tally_)) return false;
    }
  }

  Database& database_;
  const LedgerPruning::Options& options_;
  const std::function<bool(const LedgerPruning::Tally&)>& go_on_;
  LedgerPruning::Tally tally_;
};

}  // namespace

LedgerPruning::LedgerPruning(std::unique_ptr<Database> database) : database_(std::move(database)) {}
LedgerPruning::~LedgerPruning() = default;

absl::StatusOr<std::unique_ptr<LedgerPruning>> LedgerPruning::connect(const std::string& url) {
  auto database = open_database(url);
  if (!database.ok()) return database.status();
  return std::unique_ptr<LedgerPruning>(new LedgerPruning(*std::move(database)));
}

absl::StatusOr<LedgerPruning::Tally> LedgerPruning::prune(
    const Options& options, const std::function<bool(const Tally&)>& go_on) {
  try {
    return Run(*database_, options, go_on)();
  } catch (...) {
    return current_failure();
  }
}

}  // namespace stockctl

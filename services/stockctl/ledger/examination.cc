#include "stockctl/ledger/examination.h"

#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "stockctl/ledger/database.h"
#include "stockctl/text/concat.h"

namespace stockctl {
namespace {

constexpr int kShown = 20;

constexpr const char* kOneSnapshot = R"(
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL work_mem = '64MB';
SET LOCAL statement_timeout = 0)";

constexpr const char* kSizes = R"(
SELECT (SELECT count(*) FROM stock.level), (SELECT count(*) FROM stock.movement),
       (SELECT count(*) FROM stock.reservation), (SELECT count(*) FROM stock.request))";

constexpr const char* kLock = R"(
SELECT FROM stock.level
JOIN jsonb_to_recordset($1::jsonb) AS key (sku text, location text) USING (sku, location)
ORDER BY sku, location FOR UPDATE OF level)";

std::string repair_of(const Check& check) {
  return concat(R"(
WITH repaired AS (
  UPDATE stock.level SET reserved = found.reserved, committed = found.committed,
                         earliest_expire_at = found.earliest_expire_at
  FROM ()",
                check.query, R"() AS found
  JOIN jsonb_to_recordset($1::jsonb) AS key (sku text, location text) USING (sku, location)
  WHERE level.sku = found.sku AND level.location = found.location
  RETURNING 1)
SELECT count(*) FROM repaired)");
}

bool can_repair(const pqxx::result& rows) { return rows.columns() > 3; }

LedgerExamination::Result run(pqxx::transaction_base& transaction, const Check& check) {
  LedgerExamination::Result result{.check = &check};
  const pqxx::result rows =
      transaction.exec(concat("SELECT *, count(*) OVER () FROM (", check.query,
                              ") AS found ORDER BY subject, says LIMIT ", kShown));
  if (rows.empty()) return result;
  result.findings = rows[0][rows.columns() - 1].as<std::int64_t>();
  for (const pqxx::row& row : rows) {
    result.first.push_back({row[0].as<std::string>(), row[1].as<std::string>()});
  }
  if (can_repair(rows)) {
    result.repairable =
        transaction.exec(concat("SELECT count(sku) FROM (", check.query, ") AS found"))[0][0]
            .as<std::int64_t>();
  }
  return result;
}

// Under locks that are taken before the repair looks again: what it compares then is the present,
// and nobody changes it meanwhile.
std::int64_t repair(pqxx::transaction_base& transaction, const Check& check) {
  const pqxx::result rows = transaction.exec(concat("SELECT * FROM (", check.query, ") AS found"));
  if (rows.empty() || rows.columns() < 3) return 0;
  nlohmann::json keys = nlohmann::json::array();
  for (const pqxx::row& row : rows) {
    if (row["sku"].is_null()) continue;
    keys.push_back(
        {{"sku", row["sku"].as<std::string>()}, {"location", row["location"].as<std::string>()}});
  }
  const std::string locked = keys.dump();
  transaction.exec_params(kLock, locked);
  return transaction.exec_params(repair_of(check), locked)[0][0].as<std::int64_t>();
}

}  // namespace

std::int64_t LedgerExamination::Report::findings() const {
  return std::accumulate(results.begin(), results.end(), std::int64_t{0},
                         [](std::int64_t sum, const Result& r) { return sum + r.findings; });
}

std::int64_t LedgerExamination::Report::repairable() const {
  return std::accumulate(results.begin(), results.end(), std::int64_t{0},
                         [](std::int64_t sum, const Result& r) { return sum + r.repairable; });
}

LedgerExamination::LedgerExamination(std::unique_ptr<Database> database)
    : database_(std::move(database)) {}
LedgerExamination::~LedgerExamination() = default;

absl::StatusOr<std::unique_ptr<LedgerExamination>> LedgerExamination::connect(
    const std::string& url) {
  auto database = open_database(url);
  if (!database.ok()) return database.status();
  return std::unique_ptr<LedgerExamination>(new LedgerExamination(*std::move(database)));
}

absl::StatusOr<LedgerExamination::Report> LedgerExamination::examine() {
  const auto began = std::chrono::steady_clock::now();
  try {
    pqxx::work transaction(database_->pq);
    transaction.exec(kOneSnapshot);
    Report report;
    const pqxx::result sizes = transaction.exec(kSizes);
    report.levels = sizes[0][0].as<std::int64_t>();
    report.movements = sizes[0][1].as<std::int64_t>();
    report.reservations = sizes[0][2].as<std::int64_t>();
    report.requests = sizes[0][3].as<std::int64_t>();
    for (const Check& check : ledger_checks()) {
      report.results.push_back(run(transaction, check));
    }
    transaction.commit();
    report.time = std::chrono::steady_clock::now() - began;
    return report;
  } catch (...) {
    return current_failure();
  }
}

absl::StatusOr<std::int64_t> LedgerExamination::repair() {
  try {
    std::int64_t repaired = 0;
    for (const Check& check : ledger_checks()) {
      // One for each, so that what one has locked does not wait for the others.
      pqxx::work transaction(database_->pq);
      transaction.exec("SET LOCAL application_name = 'stockctl fsck --repair'");
      repaired += stockctl::repair(transaction, check);
      transaction.commit();
    }
    return repaired;
  } catch (...) {
    return current_failure();
  }
}

}  // namespace stockctl

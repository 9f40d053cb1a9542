#include "stock/postgres/archive.h"

#include <string>

#include "stock/postgres/array_literal.h"
#include "stock/postgres/connection.h"
#include "stock/postgres/rows.h"
#include "stock/postgres/sql.h"
#include "stock/postgres/testimony_rows.h"

namespace stock::postgres {
namespace {

std::int64_t micros(domain::DatabaseTime at) { return at.time_since_epoch().count(); }

std::vector<std::string> parameters(std::span<const drift::Sought> sought) {
  ArrayLiteral skus;
  ArrayLiteral locations;
  ArrayLiteral extents;
  ArrayLiteral existences;
  CountColumns counts;
  ArrayLiteral instants;
  for (const drift::Sought& one : sought) {
    skus.add(one.key.sku);
    locations.add(one.key.location);
    extents.add(extent_name(one.extent));
    existences.add(std::int64_t{one.exists});
    counts.add(one.counts);
    instants.add(micros(one.by));
  }
  std::vector<std::string> out = {skus.take(), locations.take(), extents.take(), existences.take()};
  counts.take(out);
  out.push_back(instants.take());
  return out;
}

std::vector<std::string> parameters(std::span<const drift::SoldQuestion> questions) {
  ArrayLiteral skus;
  ArrayLiteral locations;
  ArrayLiteral from;
  ArrayLiteral until;
  ArrayLiteral through;
  for (const drift::SoldQuestion& question : questions) {
    skus.add(question.key.sku);
    locations.add(question.key.location);
    from.add(micros(question.window.from));
    until.add(micros(question.window.until));
    through.add(micros(question.through));
  }
  return {skus.take(), locations.take(), from.take(), until.take(), through.take()};
}

}  // namespace

absl::StatusOr<std::vector<drift::FoundVersion>> Archive::find(
    std::span<const drift::Sought> sought) {
  std::vector<drift::FoundVersion> found(sought.size());
  if (sought.empty()) return found;
  const absl::Status status = session_.run([&](Connection& connection) {
    pqxx::nontransaction transaction(connection.pq());
    for (const pqxx::row& row :
         connection.exec(transaction, sql::find_versions(), parameters(sought))) {
      drift::FoundVersion& one = found[static_cast<std::size_t>(number(row[0]) - 1)];
      for (const int column : {1, 2}) {
        if (!row[column].is_null()) one.versions.push_back(number(row[column]));
      }
      if (!row[3].is_null()) one.oldest = number(row[3]);
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return found;
}

absl::StatusOr<std::vector<drift::SoldAnswer>> Archive::sold(
    std::span<const drift::SoldQuestion> questions) {
  std::vector<drift::SoldAnswer> answers(questions.size());
  if (questions.empty()) return answers;
  const absl::Status status = session_.run([&](Connection& connection) {
    pqxx::nontransaction transaction(connection.pq());
    for (const pqxx::row& row :
         connection.exec(transaction, sql::sold_units(), parameters(questions))) {
      drift::SoldAnswer& answer = answers[static_cast<std::size_t>(number(row[0]) - 1)];
      answer = {.sold = {.at_least = number(row[1]), .at_most = number(row[2])},
                .pruned = flag(row[3])};
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return answers;
}

absl::StatusOr<std::vector<drift::KeptTestimony>> Archive::testimonies(const domain::Key& key,
                                                                       std::int32_t instances) {
  std::vector<drift::KeptTestimony> testimonies;
  const absl::Status status = session_.run([&](Connection& connection) {
    pqxx::nontransaction transaction(connection.pq());
    for (const pqxx::row& row :
         connection.exec(transaction, sql::testimonies_of(),
                         {key.sku, key.location, std::to_string(instances)})) {
      testimonies.push_back(testimony(row));
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return testimonies;
}

}  // namespace stock::postgres

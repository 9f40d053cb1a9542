#include "stock/postgres/setting_store.h"

#include <fmt/format.h>

#include <string>

#include "stock/postgres/connection.h"
#include "stock/postgres/sql.h"

namespace stock::postgres {
namespace {

layers::Setting setting(const pqxx::row& row) {
  const auto change = [&](int first) {
    return layers::Setting::Change{.at = time(row[first]),
                                   .actor = std::string(text(row[first + 1])),
                                   .reason = std::string(text(row[first + 2]))};
  };
  return {.layer = std::string(text(row[0])),
          .enabled = flag(row[1]),
          .switched = change(2),
          .repair = layers::parse_policy(text(row[5])).value_or(layers::RepairPolicy::kOff),
          .repair_set = change(6)};
}

}  // namespace

absl::StatusOr<std::vector<layers::Setting>> SettingStore::all() {
  std::vector<layers::Setting> settings;
  const absl::Status status = session_.run([&](Connection& connection) {
    pqxx::nontransaction transaction(connection.pq());
    for (const pqxx::row& row : connection.exec(transaction, sql::layer_settings())) {
      settings.push_back(setting(row));
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return settings;
}

absl::StatusOr<layers::Setting> SettingStore::change(const layers::SettingChange& change) {
  absl::StatusOr<layers::Setting> changed =
      absl::NotFoundError(fmt::format("there is no layer \"{}\"", change.layer));
  const absl::Status status = session_.run([&](Connection& connection) {
    pqxx::nontransaction transaction(connection.pq());
    for (const pqxx::row& row :
         connection.exec(transaction, sql::change_layer(),
                         {change.layer, change.enabled ? (*change.enabled ? "true" : "false") : "",
                          std::string(change.repair ? layers::policy_name(*change.repair) : ""),
                          change.actor, change.reason})) {
      changed = setting(row);
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return changed;
}

}  // namespace stock::postgres

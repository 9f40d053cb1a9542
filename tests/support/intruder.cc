#include "support/intruder.h"

#include <fmt/format.h>

#include <utility>

#include "support/history_record.h"

namespace stock::support {
namespace {

std::string where(const domain::Key& key) {
  return fmt::format("sku = '{}' AND location = '{}'", key.sku, key.location);
}

}  // namespace

Intruder::Intruder(const Swarm::Options& options, std::function<bool()> pause)
    : options_(options), pause_(std::move(pause)), chance_(options.seed * 2003) {}

void Intruder::act() {
  try {
    if (!sql_) sql_.emplace(options_.primary_url());
    switch (pick(12)) {
      case 0:
        remove();
        break;
      case 1:
        several_in_one_transaction();
        break;
      case 2:
        hold_a_transaction_open();
        break;
      case 3:
        roll_back();
        break;
      default:
        update();
    }
    ++done;
  } catch (const SqlError&) {
    // Refused, or the primary is away: the next one is on a new connection.
    sql_.reset();
  }
}

void Intruder::raise(const domain::Key& key) {
  sql_->exec(fmt::format(
      "WITH raised AS (UPDATE stock.level SET on_hand = on_hand + 1 WHERE {} RETURNING 1)"
      " INSERT INTO stock.level (sku, location, on_hand) SELECT '{}', '{}', 7"
      " WHERE NOT EXISTS (SELECT FROM raised) ON CONFLICT DO NOTHING",
      where(key), key.sku, key.location));
}

void Intruder::update() {
  const bool quiet = pick(2) == 0 && !options_.intruders_keys.empty();
  const domain::Key& changed =
      quiet ? options_.intruders_keys[pick(options_.intruders_keys.size())] : key();
  raise(changed);
  look(changed);
}

void Intruder::remove() {
  const domain::Key& removed = key();
  sql_->exec(fmt::format("DELETE FROM stock.level WHERE {}", where(removed)));
  look(removed);
}

// Only the last of several versions of one key was ever visible.
void Intruder::several_in_one_transaction() {
  const domain::Key& changed = key();
  sql_->exec("BEGIN");
  for (int i = 0; i < 3; ++i) raise(changed);
  sql_->exec("COMMIT");
  look(changed);
}

// Meanwhile others commit with higher transaction numbers, and are seen before this one.
void Intruder::hold_a_transaction_open() {
  if (options_.intruders_keys.empty()) return;
  const domain::Key& held = options_.intruders_keys[pick(options_.intruders_keys.size())];
  sql_->exec("BEGIN");
  raise(held);
  sql_->exec("SAVEPOINT before");
  raise(held);
  if (pick(2) == 0) sql_->exec("ROLLBACK TO before");
  for (std::uint64_t n = 1 + pick(4); n > 0 && pause_(); --n) {
  }
  sql_->exec(pick(3) == 0 ? "ROLLBACK" : "COMMIT");
  look(held);
}

void Intruder::roll_back() {
  sql_->exec("BEGIN");
  raise(key());
  sql_->exec("ROLLBACK");
}

void Intruder::look(const domain::Key& key) {
  Sighting sighting{.key = key, .sent = boot_time()};
  const std::string newest = sql_->value(
      fmt::format("SELECT coalesce(max(version), 0) FROM stock.movement WHERE {}", where(key)));
  sighting.received = boot_time();
  sighting.version = std::stoll(newest);
  sightings.push_back(std::move(sighting));
}

}  // namespace stock::support

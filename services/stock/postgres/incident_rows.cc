#include "stock/postgres/incident_rows.h"

#include <optional>
#include <utility>

#include "stock/postgres/array_literal.h"
#include "stock/postgres/rows.h"
#include "stock/postgres/testimony_rows.h"

namespace stock::postgres {
namespace {

std::string micros(domain::DatabaseTime at) {
  return std::to_string(at.time_since_epoch().count());
}

std::string micros(const std::optional<domain::DatabaseTime>& at) { return at ? micros(*at) : ""; }

std::string bit(bool value) { return value ? "1" : "0"; }

std::optional<domain::DatabaseTime> time_or_none(const pqxx::field& field) {
  if (field.is_null()) return std::nullopt;
  return time(field);
}

std::string array(const domain::Counts& counts) {
  ArrayLiteral literal;
  for (const std::int64_t count : {counts.on_hand, counts.reserved, counts.committed,
                                   counts.safety_stock, counts.backorder_limit}) {
    literal.add(count);
  }
  return literal.take();
}

std::vector<std::string> texts(const pqxx::field& field) {
  std::vector<std::string> texts;
  auto parser = field.as_array();
  using Juncture = pqxx::array_parser::juncture;
  for (auto item = parser.get_next(); item.first != Juncture::done; item = parser.get_next()) {
    if (item.first == Juncture::string_value) texts.push_back(std::move(item.second));
  }
  return texts;
}

drift::Verdict verdict(std::string_view name) {
  for (std::size_t i = 0; i < drift::kVerdicts; ++i) {
    const auto verdict = static_cast<drift::Verdict>(i);
    if (drift::verdict_name(verdict) == name) return verdict;
  }
  return drift::Verdict::kInconclusive;
}

std::optional<drift::FalseDate> false_date(std::string_view name) {
  for (std::size_t i = 0; i < drift::kFalseDates; ++i) {
    const auto date = static_cast<drift::FalseDate>(i);
    if (drift::false_date_name(date) == name) return date;
  }
  return std::nullopt;
}

// What is the same for those that are opened and those that change: witnesses to group.
void add_standing(const drift::Incident& incident, std::vector<std::string>& out) {
  ArrayLiteral witnesses;
  for (const std::string& witness : incident.witnesses) witnesses.add(witness);
  ArrayLiteral standing;
  ArrayLiteral skus;
  ArrayLiteral locations;
  for (const drift::Teller& teller : incident.standing) {
    standing.add(teller.witness);
    skus.add(teller.key.sku);
    locations.add(teller.key.location);
  }
  for (std::string text : {witnesses.take(), standing.take(), skus.take(), locations.take(),
                           std::to_string(incident.keys), bit(incident.grouped)}) {
    out.push_back(std::move(text));
  }
}

}  // namespace

drift::Incident incident(const pqxx::row& row) {
  drift::Incident out;
  out.id = number(row[0]);
  out.revision = number(row[1]);
  out.layer = text(row[2]);
  out.key = key(row, 4);
  layers::Answer& answer = out.finding.claim.answer;
  answer.outcome = domain::Outcome::kHit;
  answer.reading.exists = flag(row[6]);
  answer.reading.version = number(row[7]);
  answer.reading.counts = counts(row, 8);
  answer.reading.as_of = time(row[13]);
  answer.reading.true_through = time(row[14]);
  out.finding.claim.asked_earliest = time(row[15]);
  out.finding.claim.asked_latest = time(row[16]);
  out.finding.judgement = {.verdict = verdict(text(row[3])),
                           .units = number(row[17]),
                           .versions = number(row[18]),
                           .age = std::chrono::microseconds(number(row[19])),
                           .true_from = time_or_none(row[20]),
                           .true_until = time_or_none(row[21]),
                           .superseded_by = number(row[22]),
                           .false_date = false_date(text(row[43]))};
  out.finding.truth.exists = flag(row[23]);
  out.finding.newest = number(row[24]);
  out.finding.truth.counts = counts(row, 25);
  out.witnesses = texts(row[30]);
  const std::vector<std::string> standing = texts(row[31]);
  const std::vector<std::string> skus = texts(row[32]);
  const std::vector<std::string> locations = texts(row[33]);
  for (std::size_t i = 0; i < std::min({standing.size(), skus.size(), locations.size()}); ++i) {
    out.standing.push_back({.witness = standing[i], .key = {skus[i], locations[i]}});
  }
  out.keys = number(row[34]);
  out.grouped = flag(row[35]);
  out.opened_at = time(row[36]);
  out.last_seen_at = time(row[37]);
  out.closed_at = time_or_none(row[38]);
  out.merged_into = number(row[39]);
  out.finding.claim.extent = extent(text(row[40]));
  answer.reading.heartbeat = number(row[41]);
  answer.reading.earliest_expiry = time(row[42]);
  return out;
}

std::vector<drift::Incident> incidents(const pqxx::result& rows) {
  std::vector<drift::Incident> incidents;
  for (const pqxx::row& row : rows) incidents.push_back(incident(row));
  return incidents;
}

std::vector<std::string> to_open(const drift::Incident& incident) {
  const drift::Finding& finding = incident.finding;
  const domain::Reading& said = finding.claim.answer.reading;
  const drift::Judgement& judgement = finding.judgement;
  std::vector<std::string> parameters = {incident.layer,
                                         std::string(drift::verdict_name(judgement.verdict)),
                                         incident.key.sku,
                                         incident.key.location,
                                         bit(said.exists),
                                         std::to_string(said.version),
                                         array(said.counts),
                                         micros(said.as_of),
                                         micros(said.true_through),
                                         micros(finding.claim.asked_earliest),
                                         micros(finding.claim.asked_latest),
                                         std::to_string(judgement.units),
                                         std::to_string(judgement.versions),
                                         std::to_string(judgement.age.count()),
                                         micros(judgement.true_from),
                                         micros(judgement.true_until),
                                         std::to_string(judgement.superseded_by),
                                         bit(finding.truth.exists),
                                         std::to_string(finding.newest),
                                         array(finding.truth.counts)};
  add_standing(incident, parameters);
  parameters.push_back(micros(incident.opened_at));
  parameters.push_back(micros(incident.last_seen_at));
  parameters.push_back(micros(incident.closed_at));
  parameters.emplace_back(extent_name(finding.claim.extent));
  parameters.push_back(std::to_string(said.heartbeat));
  parameters.push_back(micros(said.earliest_expiry));
  parameters.emplace_back(judgement.false_date ? drift::false_date_name(*judgement.false_date)
                                               : std::string_view());
  return parameters;
}

std::vector<std::string> to_change(const drift::Incident& incident) {
  std::vector<std::string> parameters = {std::to_string(incident.id)};
  add_standing(incident, parameters);
  parameters.push_back(micros(incident.last_seen_at));
  parameters.push_back(micros(incident.closed_at));
  parameters.push_back(std::to_string(incident.merged_into));
  return parameters;
}

}  // namespace stock::postgres

// Incidents: out of result rows, and into parameters.
#pragma once

#include <string>
#include <vector>

#include "stock/drift/incident.h"
#include "stock/postgres/connection.h"

namespace stock::postgres {

// Of the columns in sql.h.
drift::Incident incident(const pqxx::row& row);
std::vector<drift::Incident> incidents(const pqxx::result& rows);

// Of sql::open_incident() and sql::change_incident().
std::vector<std::string> to_open(const drift::Incident& incident);
std::vector<std::string> to_change(const drift::Incident& incident);

}  // namespace stock::postgres

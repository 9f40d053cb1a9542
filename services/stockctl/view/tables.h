#pragma once

#include <ostream>

#include "google/protobuf/repeated_ptr_field.h"
#include "stock/v1/stock_service.pb.h"
#include "stockctl/text/terminal.h"

namespace stockctl {

// Tables for people of what the service answers.

void print_levels(std::ostream& out,
                  const google::protobuf::RepeatedPtrField<stock::v1::StockLevel>& levels,
                  const Terminal& terminal);

void print_totals(std::ostream& out, const stock::v1::BatchGetStockTotalsResponse& response,
                  const Terminal& terminal);

void print_cart(std::ostream& out, const stock::v1::CheckAvailabilityResponse& response,
                const Terminal& terminal);

void print_history(std::ostream& out, const stock::v1::ListStockMovementsResponse& response,
                   const Terminal& terminal);

// Lines of what happens, as it happens; times of day in UTC:
//   02:03:11.123  LANTERN-42 @ LON  available 56, on hand 61, version 16  (2 versions left out)
void print_change(std::ostream& out, const stock::v1::LevelChange& change,
                  const Terminal& terminal);
//   2026-11-24 02:03:11  LANTERN-42 @ LON  version 16  adjust +5  on hand 61  sale 536365
void print_movement(std::ostream& out, const stock::v1::Movement& movement,
                    const Terminal& terminal);

void print_written(std::ostream& out,
                   const google::protobuf::RepeatedPtrField<stock::v1::WrittenLevel>& levels,
                   const Terminal& terminal);

void print_locations(std::ostream& out,
                     const google::protobuf::RepeatedPtrField<stock::v1::Location>& locations,
                     const Terminal& terminal);

}  // namespace stockctl

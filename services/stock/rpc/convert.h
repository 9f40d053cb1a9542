// Between the API's messages and the rooms' values.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "stock/clock/database_clock.h"
#include "stock/domain/key.h"
#include "stock/domain/movement.h"
#include "stock/domain/provenance.h"
#include "stock/domain/reading.h"
#include "stock/domain/reservation.h"
#include "stock/layers/read_path.h"
#include "stock/ledger/write.h"
#include "stock/rpc/errors.h"
#include "stock/v1/level.pb.h"
#include "stock/v1/provenance.pb.h"
#include "stock/v1/reservation.pb.h"

namespace stock::rpc {

void to_proto(std::chrono::nanoseconds duration, google::protobuf::Duration& out);
void to_proto(domain::DatabaseTime time, google::protobuf::Timestamp& out);
void to_proto(const domain::Counts& counts, v1::Counts& out);
void to_proto(const domain::Key& key, v1::Key& out);
void to_proto(const domain::Movement& movement, v1::Movement& out);
// A hold that has ended by `now`, of the database's clock, is expired.
void to_proto(const domain::Reservation& reservation, domain::DatabaseTime now,
              v1::Reservation& out);
void to_proto(const domain::Location& location, v1::Location& out);
void to_proto(const domain::Visit& visit, v1::Provenance& out);  // adds to the trail
// `age`: of the reading. Levels of answers to reads by key are not made of messages: level_wire.h.
void to_proto(const domain::Key& key, const domain::Reading& reading, std::chrono::microseconds age,
              v1::StockLevel& out);
// When the first hold of it may end, if any is held, and if that is known.
std::optional<domain::DatabaseTime> first_expiry(const domain::Reading& reading);

v1::Layer layer_of(std::string_view name);

// Each returns what is wrong with the field called `field`, if something is.
std::optional<Failure> from_proto(const v1::Key& message, std::string_view field, domain::Key& out);
// Of the element `index` of the field.
std::optional<Failure> from_proto(const v1::Key& message, std::string_view field, int index,
                                  domain::Key& out);
// 0: 100.
std::optional<Failure> page_size_from(std::int32_t value, std::int32_t& out);

}  // namespace stock::rpc

// GetStockLevel, BatchGetStockLevels, BatchGetStockTotals, CheckAvailability: reads by key, through
// the layers.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/util/time_util.h"
#include "stock/rpc/answer.h"
#include "stock/rpc/availability.h"
#include "stock/rpc/convert.h"
#include "stock/rpc/freshness.h"
#include "stock/rpc/level_wire.h"
#include "stock/rpc/stock_handlers.h"

namespace stock::rpc {
namespace {

constexpr int kMaxKeys = 1000;

// What there is mostly to be written of a level, and of where a response comes from.
constexpr std::size_t kLevelBytes = 144;
constexpr std::size_t kRestBytes = 256;

// Of these bytes, without a copy.
grpc::ByteBuffer buffer_of(std::unique_ptr<std::string> bytes) {
  std::string* const owned = bytes.release();
  const grpc::Slice slice(
      owned->data(), owned->size(), [](void* its) { delete static_cast<std::string*>(its); },
      owned);
  return {&slice, 1};
}

// A read on behalf of a call. Lives until it has answered the call.
template <typename Call>
class CallRead : public layers::Read {
 public:
  CallRead(const Rooms& rooms, Call& call) : rooms_(rooms), call_(call) {
    context = call.read_context();
  }

  // First what the flags say, if they matter: their age is told when the read is answered.
  static void start(std::unique_ptr<CallRead> self) {
    if (self->cohort.empty()) return read(std::move(self));
    const Rooms& rooms = self->rooms_;
    std::vector<layers::FlagQuestion> questions;
    for (const domain::Key& key : self->keys) questions.push_back({self->cohort, key});
    layers::FlagReader& flags = rooms.flags->reader;
    const domain::LocalTime deadline =
        std::min(self->context.deadline, rooms.clock.now() + flags.patience());
    flags.evaluate(std::move(questions), deadline,
                   [self = self.release()](std::vector<layers::FlagAnswer> answers) {
                     self->flags_ = std::move(answers);
                     read(std::unique_ptr<CallRead>(self));
                   });
  }

  // From the layers, or of the past from a database.
  static void read(std::unique_ptr<CallRead> self) {
    const Rooms& rooms = self->rooms_;
    if (!self->past) return rooms.reads.start(*self.release());
    layers::PastQuery query = *self->past;
    query.keys.assign(self->keys.begin(), self->keys.end());
    const layers::ReadContext read_context = self->context;
    rooms.catalogue.past(std::move(query), read_context,
                         [self = self.release()](const layers::Listing<layers::PastPage>& listing) {
                           self->told_past(listing);
                         });
  }

  void finished() final {
    const std::unique_ptr<CallRead> self(this);
    if (status.ok()) complete();
    if (!status.ok()) {
      return call_.finish(
          unanswered(call_.context(), status, oldest, trail_span(), rooms_.instance));
    }
    respond(call_.response());
    call_.finish(grpc::Status::OK);
  }

  // What was, instead of what is.
  std::optional<layers::PastQuery> past;
  // Who is to see it; empty: nobody in particular.
  std::string cohort;

 protected:
  using Response = std::remove_reference_t<decltype(std::declval<Call&>().response())>;
  virtual void respond(Response& response) = 0;
  // Adds to the read what else the answer depends on.
  virtual void complete() {}

  [[nodiscard]] std::span<const domain::Visit> trail_span() const {
    return {trail.data(), trail.size()};
  }
  [[nodiscard]] std::chrono::microseconds age_of(std::size_t key) const {
    return domain::age_within(*oldest, ages[key]);
  }
  void fill(v1::Provenance& out) const {
    fill_provenance(oldest.value_or(domain::Age{}), bound_missed, trail_span(), rooms_.instance,
                    out);
    out.set_in_transition(std::ranges::any_of(
        past_levels_, [](const layers::PastLevel& level) { return level.in_transition; }));
  }
  // A Message with the levels of the keys at these positions in that field, and where they come
  // from.
  template <typename Message, typename Positions>
  [[nodiscard]] grpc::ByteBuffer levels_of(int levels_field, const Positions& positions) {
    auto bytes = std::make_unique<std::string>();
    bytes->reserve(kRestBytes + positions.size() * kLevelBytes);
    LevelWriter writer;
    for (const std::size_t key : positions) append(key, levels_field, writer, *bytes);
    auto& rest = *google::protobuf::Arena::CreateMessage<Message>(call_.request().GetArena());
    fill(*rest.mutable_provenance());
    rest.AppendToString(bytes.get());
    return buffer_of(std::move(bytes));
  }

  const Rooms& rooms_;
  Call& call_;

 private:
  void append(std::size_t key, int field, LevelWriter& writer, std::string& message) const {
    LevelWords words{.key = keys[key], .reading = readings[key], .age = age_of(key)};
    if (!past_levels_.empty()) {
      const layers::PastLevel& level = past_levels_[key];
      words.in_transition = level.in_transition;
      if (level.reading.version > 0 && level.seen_by != domain::DatabaseTime{}) {
        words.seen_by = level.seen_by;
      }
    }
    if (flags_.empty()) return writer.append(field, words, message);
    v1::FlaggedAvailability flagged;
    fill_flagged(key, flagged);
    words.flagged = &flagged;
    writer.append(field, words, message);
  }

  void fill_flagged(std::size_t key, v1::FlaggedAvailability& out) const {
    const std::int64_t available = readings[key].counts.available();
    to_proto(*rooms_.flags, cohort, flags_[key], available, rooms_.clock.now(), out);
    rooms_.flags->forks.asked(keys[key], available);
  }

  void told_past(const layers::Listing<layers::PastPage>& listing) {
    answered_at = rooms_.clock.now();
    add_past_trail(listing);
    if (!listing.page.ok()) {
      status = listing.page.status();
      return finished();
    }
    const layers::PastPage& page = *listing.page;
    if (!page.answers(*past)) {
      const std::unique_ptr<CallRead> self(this);
      return call_.finish(to_status(past->at ? not_yet(page.true_through) : no_version()));
    }
    if (const auto failure = behind_horizon(page)) {
      const std::unique_ptr<CallRead> self(this);
      return call_.finish(to_status(*failure));
    }
    past_levels_ = page.levels;
    readings.resize(keys.size());
    ages.resize(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      readings[i] = page.levels[i].reading;
      readings[i].layer = listing.layer;
      const auto old = rooms_.reads.age(readings[i], answered_at);
      if (!old) {
        status = absl::UnavailableError("what the database's clock reads is not known");
        return finished();
      }
      ages[i] = *old;
      domain::include(oldest, *old);
    }
    finished();
  }

  // Copies cannot tell what was.
  void add_past_trail(const layers::Listing<layers::PastPage>& listing) {
    const auto n = static_cast<std::int32_t>(keys.size());
    for (const layers::Stage& stage : rooms_.reads.stages()) {
      const std::string_view name = stage.layer->name();
      if (std::ranges::any_of(listing.trail, [&](const auto& v) { return v.layer == name; })) break;
      domain::Visit& visit = trail.emplace_back();
      visit.layer = name;
      visit.add(domain::Outcome::kBypassed, n);
    }
    for (domain::Visit visit : listing.trail) {
      for (std::int32_t& count : visit.keys) count *= n;
      trail.push_back(std::move(visit));
    }
  }

  [[nodiscard]] std::optional<Failure> behind_horizon(const layers::PastPage& page) const {
    const bool pruned =
        past->at ? page.horizon && *past->at < *page.horizon : page.levels.front().pruned;
    if (!pruned) return std::nullopt;
    google::protobuf::Timestamp horizon;
    to_proto(page.horizon.value_or(domain::DatabaseTime{}), horizon);
    const std::string from = google::protobuf::util::TimeUtil::ToString(horizon);
    Failure failure =
        past->at ? history_pruned(fmt::format(
                       "history is kept from {} on; the time that was asked for is before", from))
                 : history_pruned(fmt::format("version {} of {} at {} was pruned: history is kept "
                                              "from {} on",
                                              past->version, keys[0].sku, keys[0].location, from));
    failure.metadata.emplace_back("horizon", from);
    return failure;
  }
  [[nodiscard]] static Failure not_yet(domain::DatabaseTime now) {
    google::protobuf::Timestamp time;
    to_proto(now, time);
    return bad_field("consistency.read_time",
                     fmt::format("is in the future: the database's clock reads {}",
                                 google::protobuf::util::TimeUtil::ToString(time)));
  }
  [[nodiscard]] Failure no_version() const {
    return {.code = grpc::StatusCode::NOT_FOUND,
            .reason = "VERSION_NOT_FOUND",
            .message = fmt::format("{} at {} has no version {} yet", keys[0].sku, keys[0].location,
                                   past->version),
            .violations = {},
            .metadata = {},
            .retry_after = {}};
  }

  std::vector<layers::PastLevel> past_levels_;  // one for one; empty in the present
  std::vector<layers::FlagAnswer> flags_;       // one for one; empty without a cohort
};

// Begins a read as soon as it is known what its answer has to show.
template <typename R, typename Call, typename Begin>
void begin(const Rooms& rooms, Call& call, std::unique_ptr<R> read, Freshness freshness,
           Begin how) {
  read->past = std::move(freshness.past);
  when_settled(rooms, call, std::move(freshness),
               [read = std::move(read), how](domain::Requirement requirement) mutable {
                 read->requirement = std::move(requirement);
                 how(std::move(read));
               });
}

// ---- GetStockLevel

using GetCall = UnaryCall<v1::GetStockLevelRequest, grpc::ByteBuffer>;

class GetRead final : public CallRead<GetCall> {
 public:
  using CallRead::CallRead;
  void respond(grpc::ByteBuffer& response) override {
    using Message = v1::GetStockLevelResponse;
    response = levels_of<Message>(Message::kLevelFieldNumber, std::array<std::size_t, 1>{0});
  }
};

void get_stock_level(const Rooms& rooms, GetCall& call) {
  auto read = std::make_unique<GetRead>(rooms, call);
  Freshness freshness;
  auto wrong = from_proto(call.request().key(), "key", read->keys.emplace_back());
  if (!wrong) {
    wrong =
        from_proto(call.request().consistency(), rooms.max_staleness, Takes::kVersion, freshness);
  }
  read->cohort = call.request().cohort();
  if (!wrong) wrong = check_cohort(read->cohort, rooms.flags, freshness.past.has_value());
  if (wrong) return call.finish(to_status(*wrong));
  begin(rooms, call, std::move(read), std::move(freshness),
        [](std::unique_ptr<GetRead> ready) { GetRead::start(std::move(ready)); });
}

// ---- BatchGetStockLevels

using BatchCall = UnaryCall<v1::BatchGetStockLevelsRequest, grpc::ByteBuffer>;

class BatchRead final : public CallRead<BatchCall> {
 public:
  using CallRead::CallRead;
  void respond(grpc::ByteBuffer& response) override {
    using Message = v1::BatchGetStockLevelsResponse;
    response = levels_of<Message>(Message::kLevelsFieldNumber, position);
  }

  std::vector<std::size_t> position;  // of each requested key among the distinct ones
};

void batch_get_stock_levels(const Rooms& rooms, BatchCall& call) {
  const auto& request = call.request();
  if (request.keys().empty() || request.keys_size() > kMaxKeys) {
    return call.finish(to_status(bad_field("keys", "must name 1 to 1,000 keys")));
  }
  auto read = std::make_unique<BatchRead>(rooms, call);
  const auto count = static_cast<std::size_t>(request.keys_size());
  read->keys.reserve(count);
  read->position.reserve(count);
  // By the names in the request, which stays. Abseil hashes strings of its own kind faster.
  absl::flat_hash_map<std::pair<absl::string_view, absl::string_view>, std::size_t> seen(count);
  for (int i = 0; i < request.keys_size(); ++i) {
    const v1::Key& key = request.keys(i);
    const auto [it, fresh] = seen.try_emplace({key.sku(), key.location()}, read->keys.size());
    read->position.push_back(it->second);
    if (!fresh) continue;
    if (const auto wrong = from_proto(key, "keys", i, read->keys.emplace_back())) {
      return call.finish(to_status(*wrong));
    }
  }
  Freshness freshness;
  auto wrong = from_proto(request.consistency(), rooms.max_staleness, Takes::kPast, freshness);
  read->cohort = request.cohort();
  if (!wrong) wrong = check_cohort(read->cohort, rooms.flags, freshness.past.has_value());
  if (wrong) return call.finish(to_status(*wrong));
  begin(rooms, call, std::move(read), std::move(freshness),
        [](std::unique_ptr<BatchRead> ready) { BatchRead::start(std::move(ready)); });
}

// ---- What totals and availability share: SKUs at all locations, or at some

// A read that may first have to learn which locations there are.
template <typename Call>
class PlacedRead : public CallRead<Call> {
 public:
  using CallRead<Call>::CallRead;

  void begin(std::unique_ptr<PlacedRead> self, bool all_locations) {
    if (!all_locations) return place(std::move(self));
    // No location is ever removed: those of now are all that there were.
    const domain::Requirement listed =
        this->past ? domain::Requirement{.fully_consistent = true} : this->requirement;
    this->rooms_.directory.get(
        listed, this->context,
        [self = self.release()](
            absl::Status status,
            const std::shared_ptr<const layers::LocationDirectory::Snapshot>& list) {
          std::unique_ptr<PlacedRead> read(self);
          if (!status.ok()) {
            return read->call_.finish(
                unanswered(read->call_.context(), status, std::nullopt, {}, read->rooms_.instance));
          }
          read->directory_ = list;
          read->locations = read->directory_->ids;
          PlacedRead& placed = *read;
          placed.place(std::move(read));
        });
  }

  std::vector<std::string> locations;

 protected:
  // Adds the keys; what is wrong with them, if something is.
  virtual std::optional<Failure> add_keys() = 0;

  void add_key(const std::string& sku, const std::string& location) {
    domain::Key key{sku, location};
    if (seen_.insert(key).second) this->keys.push_back(std::move(key));
  }
  static Failure too_many() {
    return bad_field("request", "asks for more than 1,000 keys (SKUs times locations)");
  }
  // The list of locations is a part of the answer, and of its bound.
  void complete() final {
    if (!directory_ || this->past) return;
    const auto age = this->rooms_.database_clock.age(directory_->true_through, this->answered_at);
    const auto& bound = this->requirement.max_age;
    if (!age || (bound && !domain::meets(*age, *bound))) this->bound_missed = true;
    const auto& write = this->requirement.at_least;
    if (write && !directory_->shows(*write)) this->bound_missed = true;
    if (age) domain::include(this->oldest, *age);
    if (this->bound_missed && !this->requirement.allow_stale) {
      this->status = absl::UnavailableError("the list of locations is older than the bound");
    }
  }

  std::shared_ptr<const layers::LocationDirectory::Snapshot> directory_;

 private:
  void place(std::unique_ptr<PlacedRead> self) {
    if (const auto wrong = add_keys()) return this->call_.finish(to_status(*wrong));
    if (this->keys.empty()) {  // there is no location yet
      this->answered_at = this->rooms_.clock.now();
      return self.release()->finished();
    }
    CallRead<Call>::start(std::move(self));
  }

  absl::flat_hash_set<domain::Key> seen_;
};

// ---- BatchGetStockTotals

using TotalsCall = UnaryCall<v1::BatchGetStockTotalsRequest, v1::BatchGetStockTotalsResponse>;

class TotalsRead final : public PlacedRead<TotalsCall> {
 public:
  using PlacedRead::PlacedRead;

  std::optional<Failure> add_keys() override {
    const auto& request = call_.request();
    if (request.skus_size() * locations.size() > kMaxKeys) return too_many();
    for (const std::string& sku : request.skus()) {
      for (const std::string& location : locations) add_key(sku, location);
    }
    return std::nullopt;
  }

  void respond(v1::BatchGetStockTotalsResponse& response) override {
    absl::flat_hash_map<domain::Key, std::size_t> numbers(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) numbers[keys[i]] = i;
    for (const std::string& sku : call_.request().skus()) {
      add_total(sku, numbers, *response.add_totals());
    }
    fill(*response.mutable_provenance());
  }

 private:
  void add_total(const std::string& sku,
                 const absl::flat_hash_map<domain::Key, std::size_t>& numbers,
                 v1::StockTotal& total) const {
    domain::Counts sum;
    std::int64_t available = 0;
    std::int32_t found = 0;
    const domain::Reading* oldest_part = nullptr;
    auto age = std::chrono::microseconds(0);
    bool mixed = false;
    for (const std::string& location : locations) {
      const std::size_t number = numbers.at({sku, location});
      const domain::Reading& reading = readings[number];
      if (oldest_part != nullptr && (reading.layer != oldest_part->layer ||
                                     reading.true_through != oldest_part->true_through)) {
        mixed = true;
      }
      if (const auto part_age = age_of(number); oldest_part == nullptr || part_age > age) {
        oldest_part = &reading;
        age = part_age;
      }
      if (!reading.exists) continue;
      ++found;
      sum.on_hand += reading.counts.on_hand;
      sum.reserved += reading.counts.reserved;
      sum.committed += reading.counts.committed;
      sum.safety_stock += reading.counts.safety_stock;
      sum.backorder_limit += reading.counts.backorder_limit;
      available += std::max<std::int64_t>(reading.counts.available(), 0);
    }
    total.set_sku(sku);
    to_proto(sum, *total.mutable_counts());
    total.mutable_counts()->set_available(available);
    total.set_locations(found);
    total.set_mixed(mixed);
    if (oldest_part != nullptr) total.set_oldest_layer(layer_of(oldest_part->layer));
    if (directory_ && !past) {
      const auto listed = rooms_.database_clock.age(directory_->true_through, answered_at);
      age = std::max(age, listed ? domain::age_within(*oldest, *listed) : oldest->age);
    }
    to_proto(age, *total.mutable_age());
  }
};

void batch_get_stock_totals(const Rooms& rooms, TotalsCall& call) {
  const auto& request = call.request();
  if (request.skus().empty() || request.skus_size() > kMaxKeys) {
    return call.finish(to_status(bad_field("skus", "must name 1 to 1,000 SKUs")));
  }
  if (request.locations_size() > kMaxKeys) {
    return call.finish(to_status(bad_field("locations", "must name 1,000 locations at most")));
  }
  auto read = std::make_unique<TotalsRead>(rooms, call);
  Freshness freshness;
  auto wrong = from_proto(request.consistency(), rooms.max_staleness, Takes::kPast, freshness);
  for (int i = 0; !wrong && i < request.skus_size(); ++i) {
    const auto status = domain::validate_name("sku", request.skus(i));
    if (!status.ok()) wrong = bad_field(fmt::format("skus[{}]", i), std::string(status.message()));
  }
  for (int i = 0; !wrong && i < request.locations_size(); ++i) {
    const std::string& location = request.locations(i);
    const auto status = domain::validate_name("location", location);
    if (!status.ok()) {
      wrong = bad_field(fmt::format("locations[{}]", i), std::string(status.message()));
    } else if (std::ranges::find(read->locations, location) != read->locations.end()) {
      wrong = bad_field(fmt::format("locations[{}]", i), "is named twice");
    }
    read->locations.push_back(location);
  }
  if (wrong) return call.finish(to_status(*wrong));
  begin(rooms, call, std::move(read), std::move(freshness),
        [everywhere = request.locations().empty()](std::unique_ptr<TotalsRead> ready) {
          TotalsRead& totals = *ready;
          totals.begin(std::move(ready), everywhere);
        });
}

// ---- CheckAvailability

using CheckCall = UnaryCall<v1::CheckAvailabilityRequest, v1::CheckAvailabilityResponse>;

class CheckRead final : public PlacedRead<CheckCall> {
 public:
  using PlacedRead::PlacedRead;

  std::optional<Failure> add_keys() override {
    std::size_t places = 0;
    for (const Line& line : lines) {
      places += line.location.empty() ? locations.size() : 1;
      if (places > kMaxKeys) return too_many();
      if (!line.location.empty()) {
        add_key(line.sku, line.location);
      } else {
        for (const std::string& location : locations) add_key(line.sku, location);
      }
    }
    return std::nullopt;
  }

  void respond(v1::CheckAvailabilityResponse& response) override {
    absl::flat_hash_map<domain::Key, domain::Reading> by_key(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) by_key[keys[i]] = readings[i];
    const auto answers = check_availability(lines, locations, by_key);
    response.set_available(true);
    for (std::size_t i = 0; i < answers.size(); ++i) {
      v1::LineAvailability& line = *response.add_lines();
      *line.mutable_line() = call_.request().lines(static_cast<int>(i));
      line.set_found(answers[i].found);
      line.set_available(answers[i].available);
      line.set_shortfall(answers[i].shortfall);
      if (answers[i].shortfall > 0) response.set_available(false);
    }
    fill(*response.mutable_provenance());
  }

  std::vector<Line> lines;
};

void check_availability_call(const Rooms& rooms, CheckCall& call) {
  const auto& request = call.request();
  if (request.lines().empty() || request.lines_size() > kMaxKeys) {
    return call.finish(to_status(bad_field("lines", "must have 1 to 1,000 lines")));
  }
  auto read = std::make_unique<CheckRead>(rooms, call);
  Freshness freshness;
  auto wrong = from_proto(request.consistency(), rooms.max_staleness, Takes::kPast, freshness);
  bool anywhere = false;
  for (int i = 0; !wrong && i < request.lines_size(); ++i) {
    const v1::CartLine& line = request.lines(i);
    const auto field = [i](std::string_view name) { return fmt::format("lines[{}].{}", i, name); };
    if (const auto sku = domain::validate_name("sku", line.sku()); !sku.ok()) {
      wrong = bad_field(field("sku"), std::string(sku.message()));
    } else if (const auto place =
                   domain::validate_text("location", line.location(), domain::kMaxNameBytes);
               !place.ok()) {
      wrong = bad_field(field("location"), std::string(place.message()));
    } else if (line.quantity() < 1 || line.quantity() > domain::kMaxCount) {
      wrong = bad_field(field("quantity"), "must be between 1 and 10^15");
    }
    anywhere = anywhere || line.location().empty();
    read->lines.push_back({line.sku(), line.location(), line.quantity()});
  }
  if (wrong) return call.finish(to_status(*wrong));
  begin(rooms, call, std::move(read), std::move(freshness),
        [everywhere = anywhere](std::unique_ptr<CheckRead> ready) {
          CheckRead& check = *ready;
          check.begin(std::move(ready), everywhere);
        });
}

}  // namespace

template <typename Request>
void StockHandlers::add_bytes_method(Server& server, const char* rpc,
                                     void (*handle)(const Rooms&,
                                                    UnaryCall<Request, grpc::ByteBuffer>&)) {
  const auto* service = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
      std::string(kStockService));
  server.add_method<Request, grpc::ByteBuffer>(
      kStockService, rpc,
      [this, method = service->FindMethodByName(rpc)->index()](auto... arguments) {
        service_.request(method, arguments...);
      },
      [this, handle](UnaryCall<Request, grpc::ByteBuffer>& call) { handle(rooms_, call); });
}

void StockHandlers::attach_reads(Server& server) {
  add_bytes_method(server, "GetStockLevel", get_stock_level);
  add_bytes_method(server, "BatchGetStockLevels", batch_get_stock_levels);
  STOCK_RPC(server, BatchGetStockTotals, batch_get_stock_totals);
  STOCK_RPC(server, CheckAvailability, check_availability_call);
}

}  // namespace stock::rpc

#include "stock/rpc/testimony.h"

#include <fmt/format.h>

#include <algorithm>

#include "stock/drift/words.h"
#include "stock/rpc/convert.h"
#include "stock/rpc/finding.h"
#include "stock/rpc/instant.h"

namespace stock::rpc {
namespace {

using std::chrono::microseconds;

constexpr int kMaxTestimonies = 1000;
constexpr std::int64_t kMaxAgeSeconds = 10LL * 365 * 24 * 3600;

std::optional<Failure> text(const std::string& field, const std::string& value) {
  const auto status = domain::validate_text(field, value, domain::kMaxNameBytes);
  if (!status.ok()) return bad_field(field, std::string(status.message()));
  return std::nullopt;
}

std::optional<Failure> number(const std::string& field, std::int64_t value, std::int64_t least) {
  if (value >= least && value <= domain::kMaxCount) return std::nullopt;
  return bad_field(field, fmt::format("must be between {} and 10^15", least < 0 ? "-10^15" : "0"));
}

std::optional<Failure> instant(const google::protobuf::Timestamp& message, const std::string& field,
                               std::optional<drift::WitnessTime>& out) {
  domain::DatabaseTime time;
  if (auto wrong = from_proto(message, field, time)) return wrong;
  out = drift::WitnessTime(time.time_since_epoch());
  return std::nullopt;
}

std::optional<Failure> key(const v1::Key& message, bool may_be_all, const std::string& field,
                           domain::Key& out) {
  if (!may_be_all || !message.location().empty()) return from_proto(message, field, out);
  const auto status = domain::validate_name("sku", message.sku());
  if (!status.ok()) return bad_field(field + ".sku", std::string(status.message()));
  out.sku = message.sku();
  return std::nullopt;
}

std::optional<Failure> counts(const v1::Counts& message, const std::string& field,
                              domain::Counts& out) {
  out = {.on_hand = message.on_hand(),
         .reserved = message.reserved(),
         .committed = message.committed(),
         .safety_stock = message.safety_stock(),
         .backorder_limit = message.backorder_limit()};
  for (const auto& [name, count] :
       {std::pair("on_hand", out.on_hand), std::pair("reserved", out.reserved),
        std::pair("committed", out.committed), std::pair("safety_stock", out.safety_stock),
        std::pair("backorder_limit", out.backorder_limit)}) {
    if (auto wrong = number(field + "." + name, count, -domain::kMaxCount)) return wrong;
  }
  return std::nullopt;
}

std::optional<Failure> sold(const v1::SoldClaim& message, const std::string& field,
                            drift::Testimony& out) {
  if (!message.has_from() || !message.has_until()) {
    return bad_field(field, "must have from and until");
  }
  if (auto wrong = from_proto(message.from(), field + ".from", out.window.from)) return wrong;
  if (auto wrong = from_proto(message.until(), field + ".until", out.window.until)) return wrong;
  if (out.window.until <= out.window.from) return bad_field(field + ".until", "must be after from");
  out.extent = drift::Extent::kSold;
  out.counts.on_hand = message.units();
  return number(field + ".units", message.units(), 0);
}

std::optional<Failure> claim(const v1::Testimony& message, const std::string& field,
                             drift::Testimony& out) {
  switch (message.claim_case()) {
    case v1::Testimony::kCounts:
      return counts(message.counts(), field + ".counts", out.counts);
    case v1::Testimony::kAvailable:
      out.extent = drift::Extent::kAvailable;
      out.counts.on_hand = message.available();
      return number(field + ".available", message.available(), -domain::kMaxCount);
    case v1::Testimony::kInStock:
      out.extent = drift::Extent::kInStock;
      out.counts.on_hand = message.in_stock() ? 1 : 0;
      return std::nullopt;
    case v1::Testimony::kAbsent:
      if (!message.absent()) return bad_field(field + ".absent", "must be true, or not be set");
      out.exists = false;
      return std::nullopt;
    case v1::Testimony::kSold:
      return sold(message.sold(), field + ".sold", out);
    default:
      return bad_field(field, "must claim one of counts, available, in_stock, absent and sold");
  }
}

std::optional<Failure> dates(const v1::Testimony& message, const std::string& field,
                             drift::Testimony& out) {
  if (message.has_believed_since()) {
    auto wrong = instant(message.believed_since(), field + ".believed_since", out.believed_since);
    if (wrong) return wrong;
  }
  if (message.has_true_through()) {
    auto wrong = instant(message.true_through(), field + ".true_through", out.true_through);
    if (wrong) return wrong;
  }
  if (!message.has_age()) return std::nullopt;
  const auto& age = message.age();
  if (age.seconds() < 0 || age.nanos() < 0 || age.nanos() > 999'999'999 ||
      age.seconds() > kMaxAgeSeconds) {
    return bad_field(field + ".age", "must be between 0 and ten years");
  }
  out.age = std::chrono::seconds(age.seconds()) +
            std::chrono::duration_cast<microseconds>(std::chrono::nanoseconds(age.nanos()));
  return std::nullopt;
}

std::optional<Failure> from_proto(const v1::Testimony& message, const std::string& field,
                                  std::span<const std::string> roster, drift::Testimony& out) {
  if (std::ranges::find(roster, message.witness()) == roster.end()) {
    return bad_field(field + ".witness",
                     fmt::format("{} is not in this server's roster of witnesses: {}",
                                 message.witness().empty()
                                     ? "an empty name"
                                     : domain::made_printable(message.witness().substr(0, 64)),
                                 fmt::join(roster, ", ")));
  }
  out.witness = message.witness();
  out.instance = message.instance();
  out.cohort = message.cohort();
  out.version = message.version();
  if (auto wrong = text(field + ".instance", out.instance)) return wrong;
  if (auto wrong = text(field + ".cohort", out.cohort)) return wrong;
  if (message.version() < 0) return bad_field(field + ".version", "must not be negative");
  const bool sold = message.has_sold();
  if (sold && message.version() > 0) {
    return bad_field(field + ".version", "units sold have none");
  }
  if (auto wrong = key(message.key(), sold, field + ".key", out.key)) return wrong;
  if (auto wrong = claim(message, field, out)) return wrong;
  return dates(message, field, out);
}

}  // namespace

std::optional<Failure> from_proto(const v1::SubmitTestimoniesRequest& request,
                                  std::span<const std::string> roster,
                                  std::vector<drift::Testimony>& out) {
  if (request.testimonies().empty() || request.testimonies_size() > kMaxTestimonies) {
    return bad_field("testimonies", fmt::format("must have 1 to {}", kMaxTestimonies));
  }
  std::optional<drift::WitnessTime> sent_at;
  if (request.has_sent_at()) {
    if (auto wrong = instant(request.sent_at(), "sent_at", sent_at)) return wrong;
  }
  out.resize(static_cast<std::size_t>(request.testimonies_size()));
  for (int i = 0; i < request.testimonies_size(); ++i) {
    drift::Testimony& testimony = out[static_cast<std::size_t>(i)];
    testimony.sent_at = sent_at;
    auto wrong =
        from_proto(request.testimonies(i), fmt::format("testimonies[{}]", i), roster, testimony);
    if (wrong) return wrong;
  }
  return std::nullopt;
}

namespace {

// As it was said.
void to_proto(const drift::Testimony& said, v1::Testimony& out) {
  const auto instant = [](drift::WitnessTime time, google::protobuf::Timestamp& timestamp) {
    rpc::to_proto(domain::DatabaseTime(time.time_since_epoch()), timestamp);
  };
  out.set_witness(said.witness);
  out.set_instance(said.instance);
  rpc::to_proto(said.key, *out.mutable_key());
  switch (said.extent) {
    case drift::Extent::kCounts:
      if (said.exists) {
        rpc::to_proto(said.counts, *out.mutable_counts());
      } else {
        out.set_absent(true);
      }
      break;
    case drift::Extent::kAvailable:
      out.set_available(said.counts.on_hand);
      break;
    case drift::Extent::kInStock:
      out.set_in_stock(said.counts.on_hand > 0);
      break;
    case drift::Extent::kSold:
      rpc::to_proto(said.window.from, *out.mutable_sold()->mutable_from());
      rpc::to_proto(said.window.until, *out.mutable_sold()->mutable_until());
      out.mutable_sold()->set_units(said.counts.on_hand);
      break;
  }
  out.set_version(said.version);
  if (said.believed_since) instant(*said.believed_since, *out.mutable_believed_since());
  if (said.true_through) instant(*said.true_through, *out.mutable_true_through());
  if (said.age) rpc::to_proto(*said.age, *out.mutable_age());
  out.set_cohort(said.cohort);
}

}  // namespace

void to_proto(const drift::Told& told, const drift::Judged& judged,
              const domain::Movement* successor, std::optional<domain::DatabaseTime> now,
              v1::Finding& out) {
  const auto& [said, dates] = told;
  to_proto(judged.finding, said.witness, said.instance, successor, out);
  v1::Statement& statement = *out.mutable_statement();
  to_proto(said, *statement.mutable_testimony());
  statement.set_version(said.version);
  if (said.extent != drift::Extent::kCounts || !said.exists) statement.clear_counts();
  statement.clear_as_of();
  rpc::to_proto(dates.through_latest, *statement.mutable_true_through());
  rpc::to_proto(dates.arrived.earliest, *statement.mutable_asked_after());
  rpc::to_proto(dates.arrived.latest, *statement.mutable_asked_before());
  if (dates.skew) {
    rpc::to_proto(dates.skew->ahead, *statement.mutable_clock_skew());
    rpc::to_proto(dates.skew->uncertainty, *statement.mutable_clock_skew_uncertainty());
  }
  out.set_words(drift::words(judged.finding, said, dates, successor, now));
}

}  // namespace stock::rpc

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "google/rpc/status.pb.h"
#include "stockctl/files/request_id.h"
#include "stockctl/load/booking.h"
#include "stockctl/load/line_report.h"
#include "stockctl/rpc/error_details.h"
#include "stockctl/rpc/retry.h"

namespace stockctl {
namespace {

using namespace std::chrono_literals;

Sha256::Digest digest_of(std::string_view text) {
  Sha256 sha256;
  sha256.update(text);
  return sha256.finish();
}

TEST(StockctlRequestId, is_the_same_for_the_same_piece_and_differs_for_any_other) {
  const Sha256::Digest file = digest_of("data");
  const std::string id = request_id_of(file, "line 1");
  EXPECT_EQ(id, "4241fe9f-d087-8c98-b2a6-11a2b80b78db");
  EXPECT_EQ(id, request_id_of(file, "line 1"));
  std::set<std::string> ids{id, request_id_of(digest_of("date"), "line 1")};
  for (int line = 2; line < 1'000; ++line) {
    ids.insert(request_id_of(file, "line " + std::to_string(line)));
  }
  EXPECT_EQ(ids.size(), 1'000u);
}

TEST(StockctlRequestId, is_a_uuid) {
  const std::string id = random_request_id();
  ASSERT_EQ(id.size(), 36u);
  EXPECT_EQ(id[14], '4');
  EXPECT_NE(std::string("89ab").find(id[19]), std::string::npos);
  EXPECT_NE(id, random_request_id());
}

// Sales of random keys, some of which bring stock back.
Sales random_sales(std::mt19937& random, std::uint32_t lines, std::uint32_t keys) {
  Sales sales;
  for (std::uint32_t key = 0; key < keys; ++key) sales.keys.number_of(std::to_string(key), "LON");
  for (std::uint32_t i = 0, invoice = 0; i < lines; ++invoice) {
    const bool brings_back = random() % 8 == 0;
    for (std::uint32_t n = 1 + random() % 6; n > 0 && i < lines; --n, ++i) {
      sales.lines.push_back({.time = {},
                             .quantity = brings_back ? -1 : 1,
                             .line = i + 2,
                             .key = static_cast<std::uint32_t>(random() % (1 + random() % keys)),
                             .invoice = invoice});
    }
  }
  return sales;
}

TEST(StockctlBooking, is_what_an_invoice_sells_or_brings_back_up_to_a_thousand_lines) {
  Sales sales;
  const auto add = [&](std::uint32_t invoice, std::int64_t quantity, int lines) {
    for (int i = 0; i < lines; ++i) {
      sales.lines.push_back(
          {.time = {}, .quantity = quantity, .line = 0, .key = 0, .invoice = invoice});
    }
  };
  add(1, -1, 1);
  add(1, 1, 2);
  add(2, 1, 2'001);
  std::vector<std::size_t> sizes;
  for (const Booking& booking : bookings_of(sales)) sizes.push_back(booking.lines.size());
  EXPECT_EQ(sizes, (std::vector<std::size_t>{1, 2, 1'000, 1'000, 1}));
}

// Bookings with answers in random order.
TEST(StockctlBookingOrder, what_brings_a_key_back_keeps_its_place_and_nothing_is_lost) {
  std::mt19937 random(5);
  constexpr std::uint32_t kKeys = 40;
  const Sales sales = random_sales(random, 5'000, kKeys);
  const std::vector<Booking> bookings = bookings_of(sales);
  BookingOrder order(bookings, kKeys);
  std::vector<std::uint32_t> under_way;
  std::size_t most_under_way = 0;
  std::map<std::uint32_t, std::vector<std::uint32_t>> ended;  // by key
  std::size_t waiting = 0;
  std::size_t count = 0;
  for (std::uint32_t next = 0; next < bookings.size() || !under_way.empty();) {
    if (next < bookings.size() && under_way.size() + waiting < 16) {
      if (order.begin(next)) {
        under_way.push_back(next);
      } else {
        ++waiting;
      }
      ++next;
      continue;
    }
    most_under_way = std::max(most_under_way, under_way.size());
    ASSERT_FALSE(under_way.empty());
    const std::size_t at = random() % under_way.size();
    const std::uint32_t booking = under_way[at];
    under_way.erase(under_way.begin() + static_cast<std::ptrdiff_t>(at));
    for (const SalesLine& line : bookings[booking].lines) ended[line.key].push_back(booking);
    ++count;
    for (const std::uint32_t free : order.end(booking)) {
      under_way.push_back(free);
      --waiting;
    }
  }
  EXPECT_EQ(count, bookings.size());
  EXPECT_GT(most_under_way, 4u);
  for (const auto& [key, order_of_key] : ended) {
    std::uint32_t newest = 0;
    for (std::size_t i = 0; i < order_of_key.size(); ++i) {
      const std::uint32_t booking = order_of_key[i];
      // Nothing that began later has ended before what brings back, and nothing earlier after it.
      if (bookings[booking].brings_back()) {
        EXPECT_GE(booking, newest) << key;
        for (std::size_t j = i; j < order_of_key.size(); ++j) {
          EXPECT_GE(order_of_key[j], booking) << key;
        }
      }
      newest = std::max(newest, booking);
    }
  }
}

TEST(StockctlLineReport, tells_the_first_twenty_and_counts_the_rest) {
  std::vector<std::string> said;
  LineReport report("f.csv", "bad", [&](std::string_view text) { said.emplace_back(text); });
  for (int line = 1; line <= 25; ++line) report.add(line, "no \x1b good");
  report.add(26, "all of it", 7);
  report.finish();
  EXPECT_EQ(report.count(), 32);
  ASSERT_EQ(said.size(), 21u);
  EXPECT_EQ(said[0], "f.csv:1: bad: no \uFFFD good");
  EXPECT_EQ(said[20], "f.csv: 12 more lines were bad");
}

TEST(StockctlBackoff, waits_longer_each_time_up_to_a_cap_and_gives_up_in_the_end) {
  Backoff backoff(60s);
  const absl::Status status = absl::UnavailableError("gone");
  Backoff::Clock::time_point now{};
  std::vector<std::chrono::nanoseconds> waits;
  while (const auto wait = backoff.after(status, now, 0)) {
    waits.push_back(*wait);
    now += *wait;
  }
  ASSERT_GE(waits.size(), 8u);
  EXPECT_EQ(waits[0], 50ms);
  EXPECT_EQ(waits[1], 100ms);
  EXPECT_EQ(waits.back(), 2s);
  EXPECT_LE(now, Backoff::Clock::time_point{} + 60s);
  EXPECT_GT(now, Backoff::Clock::time_point{} + 57s);
}

TEST(StockctlBackoff, chance_takes_up_to_half_of_the_wait) {
  EXPECT_EQ(Backoff(60s).after(absl::UnavailableError(""), {}, 0.5), 37'500us);
}

TEST(StockctlBackoff, the_server_may_ask_for_more_time) {
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(1);
  google::rpc::Status details;
  details.add_details()->PackFrom(retry);
  absl::Status status = absl::ResourceExhaustedError("queue full");
  attach_details(status, details.SerializeAsString(), "");
  EXPECT_EQ(Backoff(60s).after(status, {}, 0.9), 1s);
}

TEST(StockctlBackoff, what_will_not_get_better_is_not_tried_again) {
  EXPECT_FALSE(Backoff(60s).after(absl::FailedPreconditionError(""), {}, 0).has_value());
  EXPECT_FALSE(Backoff(60s).after(absl::InvalidArgumentError(""), {}, 0).has_value());
  EXPECT_FALSE(Backoff(60s).after(absl::InternalError(""), {}, 0).has_value());
}

}  // namespace
}  // namespace stockctl

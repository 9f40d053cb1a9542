#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "google/rpc/status.pb.h"
#include "stockctl/files/request_id.h"
#include "stockctl/load/key_order.h"
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

// Runs lines of random keys with answers in random order: each key's lines one after the other.
TEST(StockctlKeyOrder, lines_of_one_key_keep_their_order_and_nothing_is_lost) {
  std::mt19937 random(5);
  constexpr std::uint32_t kLines = 5'000;
  constexpr std::uint32_t kKeys = 40;
  std::vector<std::uint32_t> key_of(kLines);
  for (std::uint32_t& key : key_of) key = random() % (1 + random() % kKeys);
  KeyOrder order(kLines, kKeys);
  std::vector<std::uint32_t> under_way;
  std::map<std::uint32_t, std::vector<std::uint32_t>> ended;
  std::uint32_t next = 0;
  while (next < kLines || !under_way.empty()) {
    if (next < kLines && under_way.size() < 16) {
      if (order.begin(next, key_of[next])) under_way.push_back(next);
      ++next;
      continue;
    }
    const std::size_t at = random() % under_way.size();
    const std::uint32_t line = under_way[at];
    under_way.erase(under_way.begin() + static_cast<std::ptrdiff_t>(at));
    ended[key_of[line]].push_back(line);
    if (const auto waiting = order.end(key_of[line])) under_way.push_back(*waiting);
  }
  std::size_t count = 0;
  for (const auto& [key, lines] : ended) {
    EXPECT_TRUE(std::is_sorted(lines.begin(), lines.end()));
    count += lines.size();
  }
  EXPECT_EQ(count, kLines);
}

TEST(StockctlLineReport, tells_the_first_twenty_and_counts_the_rest) {
  std::vector<std::string> said;
  LineReport report("f.csv", "bad", [&](std::string_view text) { said.emplace_back(text); });
  for (int line = 1; line <= 25; ++line) report.add(line, "no \x1b good");
  report.finish();
  EXPECT_EQ(report.count(), 25);
  ASSERT_EQ(said.size(), 21u);
  EXPECT_EQ(said[0], "f.csv:1: bad: no \uFFFD good");
  EXPECT_EQ(said[20], "f.csv: 5 more lines were bad");
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

#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "stockctl/text/format.h"
#include "stockctl/text/parse.h"
#include "stockctl/text/progress.h"
#include "stockctl/text/table.h"
#include "stockctl/text/utf8.h"

namespace stockctl {
namespace {

using namespace std::chrono_literals;

TEST(StockctlFormat, counts_have_thousands_separators) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(-1'204), "-1,204");
  EXPECT_EQ(format_count(1'000'000'000'000'000), "1,000,000,000,000,000");
  EXPECT_EQ(format_count(INT64_MIN), "-9,223,372,036,854,775,808");
  EXPECT_EQ(format_change(5), "+5");
  EXPECT_EQ(format_change(0), "0");
}

TEST(StockctlFormat, durations_have_a_unit_that_fits) {
  EXPECT_EQ(format_duration(0ns), "0 ns");
  EXPECT_EQ(format_duration(999ns), "999 ns");
  EXPECT_EQ(format_duration(3'400ns), "3 µs");
  EXPECT_EQ(format_duration(210us), "210 µs");
  EXPECT_EQ(format_duration(999'600ns), "1.0 ms");
  EXPECT_EQ(format_duration(2'149us), "2.1 ms");
  EXPECT_EQ(format_duration(1'240ms), "1.2 s");
  EXPECT_EQ(format_duration(59'600ms), "1 min");
  EXPECT_EQ(format_duration(252s), "4 min 12 s");
  EXPECT_EQ(format_duration(3h + 5min), "3 h 5 min");
  EXPECT_EQ(format_duration(52h), "2 d 4 h");
  EXPECT_EQ(format_duration(-2'100us), "-2.1 ms");
}

TEST(StockctlFormat, an_age_never_looks_younger_than_it_is) {
  EXPECT_EQ(format_age(1'201ms), "1.3 s");
  EXPECT_EQ(format_age(1'200ms), "1.2 s");
  EXPECT_EQ(format_age(3'001ns), "4 µs");
  EXPECT_EQ(format_age(60'001ms), "1 min 1 s");
  EXPECT_EQ(format_age(59'001ms), "1 min");
}

TEST(StockctlFormat, times_are_utc_and_rounded_down) {
  const Instant time =
      std::chrono::sys_days(std::chrono::year(2026) / 11 / 24) + 2h + 3min + 11s + 123'999us;
  EXPECT_EQ(format_time(time), "2026-11-24 02:03:11.123");
  EXPECT_EQ(format_time_to_second(time), "2026-11-24 02:03:11");
  EXPECT_EQ(format_time_of_day(time), "02:03:11.123");
}

TEST(StockctlParse, times_of_the_past_are_written_as_people_do) {
  using std::chrono::sys_days;
  const auto day = std::chrono::year(2026) / 11 / 24;
  const Instant now = sys_days(day) + 2h + 10min;
  const Instant seven = sys_days(day) + 2h + 7min;
  EXPECT_EQ(parse_time("2026-11-24T02:07:00Z", now), seven);
  EXPECT_EQ(parse_time("2026-11-24T03:07:00.000001+01:00", now), seven + 1us);
  EXPECT_EQ(parse_time("2026-11-24 02:07", now), seven);
  EXPECT_EQ(parse_time("2026-11-24 02:07:00.5", now), seven + 500ms);
  EXPECT_EQ(parse_time("02:07", now), seven);
  EXPECT_EQ(parse_time("02:07:30", now), seven + 30s);
  EXPECT_EQ(parse_time("23:59", now), sys_days(day) - 1min) << "yesterday: it has not come yet";
  EXPECT_EQ(parse_time("3m ago", now), seven);
  EXPECT_EQ(parse_time("3 minutes ago", now), seven);
  EXPECT_EQ(parse_time("1 hour ago", now), now - 1h);
  EXPECT_EQ(parse_time("1m30s ago", now), now - 90s);
  for (const char* wrong : {"", "soon", "ago", " ago", "3 ago", "3 fortnights ago", "25:00",
                            "-3m ago", "2026-13-01T00:00:00Z", "02:07 tomorrow"}) {
    EXPECT_FALSE(parse_time(wrong, now)) << wrong;
  }
}

TEST(StockctlParse, counts_are_whole_and_bounded) {
  EXPECT_EQ(parse_count("+5").value(), 5);
  EXPECT_EQ(parse_count("-3").value(), -3);
  EXPECT_EQ(parse_count("1000000000000000").value(), 1'000'000'000'000'000);
  for (const char* text : {"", "+", "-", "+-5", "5.0", "5 ", " 5", "1e3", "0x5", "1,000",
                           "1000000000000001", "99999999999999999999999"}) {
    EXPECT_FALSE(parse_count(text).ok()) << text;
  }
}

TEST(StockctlParse, durations_need_a_unit_and_are_more_than_nothing) {
  EXPECT_EQ(parse_duration("250ms"), 250ms);
  EXPECT_EQ(parse_duration("1m30s"), 90s);
  EXPECT_EQ(parse_duration("90d"), std::chrono::days(90));
  for (const char* text : {"", "5", "0s", "-1s", "inf", "1 s", "0d", "-1d", "d", "1dd", "4000d"}) {
    EXPECT_FALSE(parse_duration(text).has_value()) << text;
  }
}

TEST(StockctlParse, the_last_at_and_the_last_equals_count) {
  EXPECT_EQ(parse_key("LANTERN-42@LON", "main"), (StockKey{"LANTERN-42", "LON"}));
  EXPECT_EQ(parse_key("BANK CHARGES", "main"), (StockKey{"BANK CHARGES", "main"}));
  EXPECT_EQ(parse_key("a@b@c", "main"), (StockKey{"a@b", "c"}));
  const KeyAndCount change = parse_key_and_count("a=b@LON=-3", "main").value();
  EXPECT_EQ(change.key, (StockKey{"a=b", "LON"}));
  EXPECT_EQ(change.count, -3);
  EXPECT_FALSE(parse_key_and_count("A", "main").ok());
  EXPECT_FALSE(parse_key_and_count("A=", "main").ok());
}

TEST(StockctlUtf8, control_characters_and_broken_sequences_are_not_printable) {
  for (const char* text : {"plain", "Käse", "灯笼", "😀", ""})
    EXPECT_TRUE(is_printable(text)) << text;
  for (const char* text : {"\x1b[2J", "a\nb", "\x7f", "\xc2\x9b", "\xff", "\xc3", "\xc0\xaf",
                           "\xed\xa0\x80", "\xf4\x90\x80\x80"}) {
    EXPECT_FALSE(is_printable(text)) << text;
  }
  EXPECT_EQ(printable("a\x1b[31mb"), "a\uFFFD[31mb");
}

TEST(StockctlUtf8, text_is_cut_between_characters) {
  EXPECT_EQ(fitted("Käsebrett", 4), "Käs…");
  EXPECT_EQ(fitted("Käse", 4), "Käse");
  EXPECT_EQ(fitted("灯笼灯笼", 2), "灯…");
  EXPECT_EQ(width_of("Käse"), 4u);
}

std::string printed(const Table& table, const Terminal& terminal) {
  std::ostringstream out;
  table.print(out, terminal);
  return out.str();
}

TEST(StockctlTable, columns_are_aligned) {
  Table table({{"SKU"}, {"ON HAND", Table::Align::kRight}, {"WHY"}});
  table.add({std::string("A"), std::string("1,204"), std::string("sale")});
  table.add({std::string("Käse"), std::string("5"), std::string("")});
  EXPECT_EQ(printed(table, {}),
            "SKU   ON HAND  WHY\n"
            "A       1,204  sale\n"
            "Käse        5  \n");
}

TEST(StockctlTable, only_a_narrow_terminal_cuts_text) {
  Table table({{"SKU", Table::Align::kLeft, true}, {"N", Table::Align::kRight}});
  table.add({std::string("0123456789ABCDEF"), std::string("7")});
  EXPECT_EQ(printed(table, {}), "SKU               N\n0123456789ABCDEF  7\n");
  EXPECT_EQ(printed(table, {.color = false, .width = 13}), "SKU         N\n012345678…  7\n");
}

TEST(StockctlTable, what_others_wrote_cannot_steer_the_terminal) {
  Table table({{"WHY"}});
  table.add({std::string("\x1b]0;owned\x07")});
  EXPECT_EQ(printed(table, {}).find('\x1b'), std::string::npos);
}

TEST(StockctlProgress, outside_a_terminal_it_is_a_line_every_five_seconds) {
  std::ostringstream err;
  const Progress::Clock::time_point began{};
  Progress progress(err, {}, "replay", "lines", 1'000, began);
  for (int i = 1; i <= 12; ++i) progress.update(i * 50, began + std::chrono::seconds(i));
  progress.finish();
  EXPECT_EQ(err.str(),
            "replay: 250 of 1,000 lines (25 %), 50/s\n"
            "replay: 500 of 1,000 lines (50 %), 50/s\n");
}

}  // namespace
}  // namespace stockctl

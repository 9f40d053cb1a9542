#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "stock/telemetry/build_info.h"
#include "stock/telemetry/metrics.h"
#include "stock/telemetry/process_metrics.h"

namespace stock::telemetry {
namespace {

using std::chrono::milliseconds;

#define EXPECT_HAS(text, part) \
  EXPECT_PRED_FORMAT2(testing::IsSubstring, std::string(part), std::string(text))
#define EXPECT_HAS_NOT(text, part) \
  EXPECT_PRED_FORMAT2(testing::IsNotSubstring, std::string(part), std::string(text))

TEST(TelemetryMetrics, everything_is_exported_from_zero_as_soon_as_it_is_made) {
  Metrics metrics;
  metrics.counter("reads_total", "Reads.", {{"layer", "redis"}});
  metrics.gauge("entries", "Entries.");
  metrics.histogram("read_seconds", "Time.", {0.1, 1});
  const std::string text = metrics.expose();
  EXPECT_HAS(text, "# HELP reads_total Reads.\n# TYPE reads_total counter\n");
  EXPECT_HAS(text, "\nreads_total{layer=\"redis\"} 0\n");
  EXPECT_HAS(text, "\nentries 0\n");
  EXPECT_HAS(text, "\nread_seconds_bucket{le=\"0.1\"} 0\n");
  EXPECT_HAS(text, "\nread_seconds_bucket{le=\"+Inf\"} 0\n");
  EXPECT_HAS(text, "\nread_seconds_count 0\n");
}

TEST(TelemetryMetrics, families_come_by_name) {
  Metrics metrics;
  metrics.gauge("b", "B.");
  metrics.counter("c", "C.");
  metrics.gauge("a", "A.");
  const std::string text = metrics.expose();
  EXPECT_LT(text.find("# HELP a "), text.find("# HELP b "));
  EXPECT_LT(text.find("# HELP b "), text.find("# HELP c "));
}

TEST(TelemetryMetrics, the_same_name_and_labels_are_the_same_object) {
  Metrics metrics;
  Counter& first = metrics.counter("n", "N.", {{"a", "1"}, {"b", "2"}});
  EXPECT_EQ(&first, &metrics.counter("n", "N.", {{"b", "2"}, {"a", "1"}}));
  EXPECT_NE(&first, &metrics.counter("n", "N.", {{"a", "1"}}));
  EXPECT_EQ(&metrics.gauge("g", "G."), &metrics.gauge("g", "G."));
  EXPECT_EQ(&metrics.histogram("h", "H.", {1}), &metrics.histogram("h", "H.", {1}));
}

TEST(TelemetryMetrics, a_histogram_counts_bounds_inclusively_and_sums) {
  Metrics metrics;
  Histogram& histogram = metrics.histogram("h", "H.", {0.25, 1}, {{"layer", "memory"}});
  for (const double value : {0.25, 0.5, 1.0, 2.0, std::numeric_limits<double>::quiet_NaN()}) {
    histogram.observe(value);
  }
  histogram.observe(milliseconds(250));
  const std::string text = metrics.expose();
  EXPECT_HAS(text, "h_bucket{layer=\"memory\",le=\"0.25\"} 2\n");
  EXPECT_HAS(text, "h_bucket{layer=\"memory\",le=\"1\"} 4\n");
  EXPECT_HAS(text, "h_bucket{layer=\"memory\",le=\"+Inf\"} 5\n");
  EXPECT_HAS(text, "h_count{layer=\"memory\"} 5\n");
  EXPECT_HAS(text, "h_sum{layer=\"memory\"} 4\n");
}

TEST(TelemetryMetrics, quantiles_of_a_histogram_lie_between_its_bounds) {
  Histogram histogram({1, 2, 4});
  EXPECT_EQ(histogram.quantile(0.5), std::nullopt);
  for (const double value : {0.5, 1.5, 1.5, 3.0}) histogram.observe(value);
  EXPECT_DOUBLE_EQ(*histogram.quantile(0.25), 1);
  EXPECT_DOUBLE_EQ(*histogram.quantile(0.5), 1.5);
  EXPECT_DOUBLE_EQ(*histogram.quantile(0.75), 2);
  EXPECT_DOUBLE_EQ(*histogram.quantile(1), 4);
  histogram.observe(100.0, 4);
  EXPECT_DOUBLE_EQ(histogram.snapshot().sum, 406.5);
  EXPECT_EQ(histogram.snapshot().buckets, (std::vector<std::uint64_t>{1, 2, 1, 4}));
  EXPECT_DOUBLE_EQ(*histogram.quantile(0.9), 4);  // beyond what it can tell
}

TEST(TelemetryMetrics, help_and_label_values_may_hold_anything) {
  Metrics metrics;
  metrics.gauge("g", "One\nline \\ only.", {{"v", "a\"b\\c\nd"}});
  const std::string text = metrics.expose();
  EXPECT_HAS(text, "# HELP g One\\nline \\\\ only.\n");
  EXPECT_HAS(text, "g{v=\"a\\\"b\\\\c\\nd\"} 0\n");
}

TEST(TelemetryMetrics, callbacks_are_read_at_each_scrape_beside_kept_numbers) {
  Metrics metrics;
  double depth = 1;
  metrics.gauge_callback("depth", "Depth.", {{"queue", "write"}}, [&] { return depth; });
  metrics.gauge("depth", "Depth.", {{"queue", "read"}}).set(9);
  metrics.counter_callback("seen_total", "Seen.", {}, [] { return 7.0; });
  EXPECT_HAS(metrics.expose(), "depth{queue=\"write\"} 1\n");
  depth = 2;
  EXPECT_HAS(metrics.expose(), "depth{queue=\"write\"} 2\n");
  EXPECT_HAS(metrics.expose(), "depth{queue=\"read\"} 9\n");
  EXPECT_HAS(metrics.expose(), "seen_total 7\n");
}

TEST(TelemetryMetrics, a_callback_that_throws_is_left_out_and_counted) {
  Metrics metrics;
  metrics.gauge_callback("bad", "Bad.", {}, []() -> double { throw std::runtime_error("no"); });
  metrics.gauge("good", "Good.").set(1);
  const std::string text = metrics.expose();
  EXPECT_HAS_NOT(text, "bad");
  EXPECT_HAS(text, "\ngood 1\n");
  EXPECT_HAS(text, "stock_metrics_callback_errors_total 1\n");
}

TEST(TelemetryMetrics, a_callback_may_make_a_metric) {
  Metrics metrics;
  metrics.gauge_callback("outer", "Outer.", {}, [&] {
    metrics.counter("inner_total", "Inner.").add();
    return 1.0;
  });
  metrics.expose();
  EXPECT_HAS(metrics.expose(), "inner_total 1\n");
}

TEST(TelemetryMetrics, counts_survive_their_threads_however_many_there_are) {
  Metrics metrics;
  Counter& counter = metrics.counter("n_total", "N.");
  Histogram& histogram = metrics.histogram("h", "H.", {1});
  constexpr int kRounds = 3;
  constexpr int kThreads = 2 * kOwnedSlots;
  constexpr int kEach = 500;
  for (int round = 0; round < kRounds; ++round) {
    // All alive at once, so that some have a slot and others share one.
    std::atomic<int> begun{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        counter.add();
        ++begun;
        while (begun < kThreads) {
          std::this_thread::yield();
        }
        for (int n = 1; n < kEach; ++n) {
          counter.add();
        }
        for (int n = 0; n < kEach; ++n) {
          histogram.observe(0.5);
        }
      });
    }
    metrics.expose();
    for (std::thread& thread : threads) {
      thread.join();
    }
  }
  constexpr int kTotal = kRounds * kThreads * kEach;
  EXPECT_EQ(counter.value(), kTotal);
  EXPECT_EQ(histogram.snapshot().buckets[0], static_cast<std::uint64_t>(kTotal));
  EXPECT_EQ(histogram.snapshot().sum, kTotal * 0.5);
}

TEST(TelemetryMetrics, a_thread_may_count_in_its_last_breath) {
  struct Mourner {
    Counter* counter = nullptr;
    ~Mourner() {
      if (counter != nullptr) counter->add();
    }
  };
  Metrics metrics;
  Counter& counter = metrics.counter("n_total", "N.");
  std::thread([&] {
    // Made before the thread has a slot, so destroyed after the slot is given back.
    thread_local Mourner mourner;
    mourner.counter = &counter;
    counter.add();
  }).join();
  EXPECT_EQ(counter.value(), 2);
}

TEST(TelemetryMetricsDeathTest, misuse_stops_the_process_and_says_why) {
  Metrics metrics;
  metrics.counter("c", "C.");
  metrics.histogram("h", "H.", {1});
  metrics.gauge_callback("f", "F.", {}, [] { return 0.0; });
  EXPECT_DEATH(metrics.gauge("c", "C."), "'c': is already a metric of another kind");
  EXPECT_DEATH(metrics.counter("c", "Other."), "another help");
  EXPECT_DEATH(metrics.histogram("h", "H.", {2}, {{"a", "b"}}), "other bounds");
  EXPECT_DEATH(metrics.histogram("i", "I.", {2, 1}), "strictly rising");
  EXPECT_DEATH(metrics.gauge("f", "F."), "read by a callback");
  EXPECT_DEATH(metrics.gauge_callback("f", "F.", {}, [] { return 0.0; }), "already kept");
  EXPECT_DEATH(metrics.counter("1c", "C."), "not a metric name");
  EXPECT_DEATH(metrics.counter("d", "D.", {{"le", "1"}}), "malformed or reserved");
  EXPECT_DEATH(metrics.counter("d", "D.", {{"a", "1"}, {"a", "2"}}), "twice");
}

TEST(TelemetryProcessMetrics, describe_this_process) {
  Metrics metrics;
  add_process_metrics(metrics);
  add_build_info(metrics);
  const std::string text = metrics.expose();
  const auto value = [&](const std::string& name) {
    const std::size_t at = text.find("\n" + name + " ");
    EXPECT_NE(at, std::string::npos) << name;
    return at == std::string::npos ? 0.0 : std::stod(text.substr(at + name.size() + 2));
  };
  EXPECT_GT(value("process_cpu_seconds_total"), 0);
  EXPECT_GT(value("process_resident_memory_bytes"), 1e6);
  EXPECT_GT(value("process_virtual_memory_bytes"), value("process_resident_memory_bytes"));
  EXPECT_GE(value("process_open_fds"), 3);
  EXPECT_GT(value("process_max_fds"), value("process_open_fds"));
  EXPECT_GE(value("process_threads"), 1);
  EXPECT_NEAR(value("process_start_time_seconds"), static_cast<double>(time(nullptr)), 3600);
  EXPECT_HAS(text, "stock_build_info{build_type=\"");
  EXPECT_HAS(text, "stock_metrics_callback_errors_total 0\n");
}

}  // namespace
}  // namespace stock::telemetry

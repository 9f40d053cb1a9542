// The service when more is asked for than its primary can bear.
#include <algorithm>
#include <atomic>
#include <functional>
#include <mutex>
#include <thread>

#include "service_world.h"
#include "support/tcp_gate.h"

namespace stock {
namespace {

constexpr int kCallers = 24;

// Calls again and again, of many at a time, until it ends.
class Crowd {
 public:
  explicit Crowd(const std::function<void(int caller)>& call) {
    for (int i = 0; i < kCallers; ++i) {
      threads_.emplace_back([this, call, i] {
        while (!ended_) call(i);
      });
    }
  }
  ~Crowd() {
    ended_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  std::atomic<bool> ended_{false};
  std::vector<std::thread> threads_;
};

// What came of the calls of a crowd.
struct Seen {
  std::atomic<int> succeeded{0};
  std::atomic<int> refused{0};
  std::atomic<int> otherwise{0};

  void count(const support::Ended& call) {
    if (call.ok()) {
      ++succeeded;
    } else if (call.code == kResourceExhausted && call.reason == "BACKEND_BUSY") {
      ++refused;
    } else {
      ++otherwise;
    }
  }
};

// A primary far away, that takes two at a time. What has been taken is answered in the end.
class ServiceOverloadTest : public ServiceTest {
 protected:
  ServiceOverloadTest() {
    client_.create_location("main", "Main");
    EXPECT_TRUE(client_.adjust("held", "main", 7).ok());
    EXPECT_TRUE(
        eventually([&] { return trail_of(held().response.provenance()); }, Eq("memory hit")));
    gate_.delay(20ms);
  }

  support::Called<v1::GetStockLevelResponse> held() { return client_.get("held", "main"); }
  // That it works, for those who ask.
  void expect_healthy() {
    EXPECT_TRUE(client_.serving());
    EXPECT_TRUE(client_.serving("stock.v1.StockService"));
    EXPECT_EQ(stockd_.get("/readyz").status, 200);
    const auto read = held();
    ASSERT_TRUE(read.ok()) << read.message;
    EXPECT_EQ(trail_of(read.response.provenance()), "memory hit");
  }

  support::TcpGate gate_{primary().port()};
  StockdProcess stockd_{
      {.primary_url =
           "postgresql://stock_writer@127.0.0.1:" + std::to_string(gate_.port()) + "/stock",
       .flags = {"--layers", "memory,primary", "--primary-connections", "1", "--read-batch", "2",
                 "--write-lanes", "1", "--write-batch", "2", "--overload-wait", "10ms",
                 "--primary-timeout", "20s", "--write-timeout", "20s"}}};
  StockClient client_{stockd_.address()};
};

TEST_F(ServiceOverloadTest, writes_that_would_wait_for_long_are_refused_and_the_others_served) {
  const auto before = client_.get("wanted", "main", fully_consistent());
  Seen seen;
  {
    const Crowd crowd([&](int) { seen.count(client_.adjust("wanted", "main", 1)); });
    EXPECT_TRUE(eventually([&] { return seen.refused.load(); }, Ge(100)));
    expect_healthy();
    EXPECT_TRUE(eventually([&] { return metric(stockd_, "stock_write_queue_limit"); }, Eq(2)));
    const int served = seen.succeeded;
    EXPECT_TRUE(eventually([&] { return seen.succeeded.load(); }, Ge(served + 10)));
  }
  EXPECT_EQ(seen.otherwise, 0);
  EXPECT_EQ(metric(stockd_, "stock_write_refusals_total{reason=\"overloaded\"}"), seen.refused);
  EXPECT_EQ(metric(stockd_, "stock_write_refusals_total{reason=\"queue_full\"}"), 0);

  const auto after = client_.get("wanted", "main", fully_consistent());
  EXPECT_EQ(after.response.level().counts().on_hand() - before.response.level().counts().on_hand(),
            seen.succeeded);
  // When the crowd has gone there is room again, though the primary is as slow as before.
  EXPECT_TRUE(eventually([&] {
    return client_.adjust("wanted", "main", 1).ok() &&
           metric(stockd_, "stock_write_queue_limit") >= kCallers;
  }));
}

TEST_F(ServiceOverloadTest, reads_of_the_primary_are_refused_and_memory_goes_on) {
  Seen seen;
  {
    const Crowd crowd([&](int caller) {
      const auto read = client_.get("key-" + std::to_string(caller), "main", fully_consistent());
      seen.count(read);
      if (read.code == kResourceExhausted) {
        EXPECT_EQ(trail_of(read.provenance), "memory bypassed, primary bypassed");
      }
    });
    EXPECT_TRUE(eventually([&] { return seen.refused.load(); }, Ge(100)));
    expect_healthy();
    EXPECT_TRUE(eventually(
        [&] { return metric(stockd_, "stock_layer_waiting_limit_keys{layer=\"primary\"}"); },
        Eq(2)));
    const int served = seen.succeeded;
    EXPECT_TRUE(eventually([&] { return seen.succeeded.load(); }, Ge(served + 10)));
  }
  EXPECT_EQ(seen.otherwise, 0);
  EXPECT_EQ(metric(stockd_, "stock_layer_reads_total{layer=\"primary\",outcome=\"refused\"}"),
            seen.refused);
  EXPECT_EQ(metric(stockd_, "stock_layer_breaker_open{layer=\"primary\"}"), 0);
  EXPECT_TRUE(eventually([&] {
    return client_.get("key-0", "main", fully_consistent()).ok() &&
           metric(stockd_, "stock_layer_waiting_limit_keys{layer=\"primary\"}") >= kCallers;
  }));
}

TEST_F(ServiceOverloadTest, a_refusal_says_when_to_come_back) {
  support::Ended refusal;
  std::mutex mutex;
  {
    const Crowd crowd([&](int) {
      const auto write = client_.adjust("wanted", "main", 1);
      const std::lock_guard lock(mutex);
      if (write.code == kResourceExhausted) refusal = write;
    });
    EXPECT_TRUE(eventually(
        [&] {
          const std::lock_guard lock(mutex);
          return refusal.code;
        },
        Eq(kResourceExhausted)));
  }
  EXPECT_EQ(refusal.metadata["applied"], "no");
  EXPECT_TRUE(std::any_of(refusal.details.details().begin(), refusal.details.details().end(),
                          [](const auto& detail) {
                            return detail.type_url() == "type.googleapis.com/google.rpc.RetryInfo";
                          }));
}

}  // namespace
}  // namespace stock

// The client of flagd against a server of its protocol that can misbehave.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "stock/clock/timer_thread.h"
#include "stock/flags/flagd_client.h"
#include "support/eventually.h"
#include "support/fake_flagd.h"
#include "support/tcp_gate.h"

namespace stock::flags {
namespace {

using namespace std::chrono_literals;
using domain::FlagsSaid;
using support::eventually;
using support::FakeFlagd;
using support::say;
using ::testing::Eq;
using ::testing::Ge;
using Response = ::flagd::evaluation::v1::ResolveAllResponse;

const std::vector<domain::Flag> kFlags = {{"recalled", domain::FlagEffect::kHide},
                                          {"black-friday", domain::FlagEffect::kCap}};

Response by_context(const std::string& cohort, const std::string& sku,
                    const std::string& location) {
  Response response;
  say(response, "black-friday", cohort == "beta" ? 5.0 : -1.0, cohort + sku + location);
  say(response, "another", true, "on");
  return response;
}

class Heard final : public layers::FlagService::Listener {
 public:
  void opened() override { ++openings; }
  void changed() override { ++changes; }
  void closed(const absl::Status&) override { ++closings; }
  std::atomic<int> openings{0};
  std::atomic<int> changes{0};
  std::atomic<int> closings{0};
};

class FlagdClientTest : public ::testing::Test {
 protected:
  std::unique_ptr<FlagdClient> client(const std::string& address) {
    return std::make_unique<FlagdClient>(
        FlagdOptions{
            .address = address, .flags = kFlags, .retry_after = 20ms, .give_up_after = 200ms},
        clock_, timers_);
  }
  absl::StatusOr<FlagsSaid> ask(FlagdClient& client, std::chrono::nanoseconds patience = 10s,
                                const std::string& cohort = "beta") {
    std::promise<absl::StatusOr<FlagsSaid>> promise;
    client.resolve({cohort, {"mug", "LON"}}, clock_.now() + patience,
                   [&promise](absl::StatusOr<FlagsSaid> said) { promise.set_value(said); });
    return promise.get_future().get();
  }

  clock::BootClock clock_;
  clock::TimerThread timers_{clock_};
};

TEST_F(FlagdClientTest, asks_for_a_context_and_takes_of_the_answer_what_is_ours) {
  FakeFlagd flagd(by_context);
  const auto client = this->client(flagd.address());
  const auto said = ask(*client);
  ASSERT_TRUE(said.ok()) << said.status();
  EXPECT_EQ(*said, (FlagsSaid{{}, {"betamugLON", "TARGETING_MATCH", 5.0}}));
  const auto nobody = ask(*client, 10s, "");
  ASSERT_TRUE(nobody.ok());
  EXPECT_EQ((*nobody)[1], (domain::FlagSaid{"", "TARGETING_MATCH", -1.0}));
}

TEST_F(FlagdClientTest, hears_of_changes_as_long_as_the_stream_lives_and_begins_it_anew) {
  FakeFlagd flagd(by_context);
  Heard heard;
  const auto client = this->client(flagd.address());
  client->follow(heard);
  EXPECT_TRUE(eventually([&] { return heard.openings.load(); }, Eq(1)));
  flagd.send("keep_alive");
  flagd.send("configuration_change");
  EXPECT_TRUE(eventually([&] { return heard.changes.load(); }, Eq(1)));
  flagd.end_streams();
  EXPECT_TRUE(eventually([&] { return heard.openings.load(); }, Eq(2)));
  EXPECT_EQ(heard.closings, 1);
  EXPECT_EQ(heard.changes, 1);
}

TEST_F(FlagdClientTest, a_service_that_is_not_there_is_unavailable_and_is_found_when_it_comes) {
  std::uint16_t port = 0;
  Heard heard;
  std::unique_ptr<support::TcpGate> gate;
  FakeFlagd flagd(by_context);
  gate = std::make_unique<support::TcpGate>(flagd.port());
  gate->cut();
  port = gate->port();
  const auto client = this->client("127.0.0.1:" + std::to_string(port));
  client->follow(heard);
  EXPECT_FALSE(ask(*client, 100ms).ok());
  EXPECT_TRUE(eventually([&] { return heard.closings.load(); }, Ge(1)));
  gate->open();
  EXPECT_TRUE(eventually([&] { return heard.openings.load(); }, Eq(1)));
  EXPECT_TRUE(eventually([&] { return ask(*client, 1s).ok(); }));
}

TEST_F(FlagdClientTest, an_evaluation_that_hangs_ends_by_its_deadline) {
  FakeFlagd flagd(by_context);
  const auto client = this->client(flagd.address());
  ASSERT_TRUE(ask(*client).ok());
  flagd.delay(1h);
  const auto begun = clock_.now();
  EXPECT_TRUE(absl::IsDeadlineExceeded(ask(*client, 100ms).status()));
  EXPECT_GE(clock_.now() - begun, 100ms);
}

TEST_F(FlagdClientTest, what_it_answers_instead_is_told) {
  FakeFlagd flagd(by_context);
  const auto client = this->client(flagd.address());
  flagd.fail(13);
  const auto said = ask(*client);
  EXPECT_TRUE(absl::IsInternal(said.status()));
  EXPECT_EQ(said.status().message(), "as the test wants it");
}

TEST_F(FlagdClientTest, a_network_that_swallows_everything_is_left_for_a_new_connection) {
  FakeFlagd flagd(by_context);
  support::TcpGate gate(flagd.port());
  Heard heard;
  const auto client = this->client("127.0.0.1:" + std::to_string(gate.port()));
  client->follow(heard);
  EXPECT_TRUE(eventually([&] { return heard.openings.load(); }, Eq(1)));
  ASSERT_TRUE(ask(*client).ok());
  gate.stall();
  EXPECT_TRUE(eventually([&] { return (ask(*client, 50ms).ok(), heard.closings.load()); }, Ge(1)));
  gate.open();
  EXPECT_TRUE(eventually([&] { return ask(*client, 1s).ok(); }));
  EXPECT_TRUE(eventually([&] { return heard.openings.load(); }, Ge(2)));
}

TEST_F(FlagdClientTest, answers_that_break_off_are_failures) {
  FakeFlagd flagd(by_context);
  support::TcpGate gate(flagd.port());
  const auto client = this->client("127.0.0.1:" + std::to_string(gate.port()));
  ASSERT_TRUE(ask(*client).ok());
  gate.break_replies(10);
  EXPECT_FALSE(ask(*client, 1s).ok());
  gate.open();
  EXPECT_TRUE(eventually([&] { return ask(*client, 1s).ok(); }));
}

TEST_F(FlagdClientTest, names_are_cut_and_made_printable) {
  FakeFlagd flagd([](auto&&...) {
    Response response;
    say(response, "black-friday", 5.0, std::string(100, 'v'), "bell\a");
    return response;
  });
  const auto client = this->client(flagd.address());
  const auto said = ask(*client);
  ASSERT_TRUE(said.ok());
  EXPECT_EQ((*said)[1].variant, std::string(64, 'v'));
  EXPECT_EQ((*said)[1].reason, "bell?");
}

TEST_F(FlagdClientTest, an_answer_beyond_all_measure_is_refused) {
  FakeFlagd flagd([](auto&&...) {
    Response response;
    say(response, "black-friday", 5.0, std::string(2 << 20, 'v'));
    return response;
  });
  const auto client = this->client(flagd.address());
  EXPECT_TRUE(absl::IsResourceExhausted(ask(*client).status()));
}

TEST_F(FlagdClientTest, the_end_answers_what_is_under_way) {
  FakeFlagd flagd(by_context);
  Heard heard;
  auto client = this->client(flagd.address());
  client->follow(heard);
  ASSERT_TRUE(ask(*client).ok());
  flagd.delay(1h);
  std::promise<absl::StatusOr<FlagsSaid>> promise;
  client->resolve({"beta", {"mug", "LON"}}, clock_.now() + 1h,
                  [&promise](absl::StatusOr<FlagsSaid> said) { promise.set_value(said); });
  EXPECT_TRUE(eventually([&] { return flagd.evaluations(); }, Eq(2)));
  client.reset();
  EXPECT_TRUE(absl::IsCancelled(promise.get_future().get().status()));
  EXPECT_TRUE(eventually([&] { return flagd.streams(); }, Eq(0)));
}

}  // namespace
}  // namespace stock::flags

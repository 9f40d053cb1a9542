#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <string>

#include "support/eventually.h"
#include "support/free_port.h"
#include "support/loopback.h"
#include "support/tcp_gate.h"

namespace stock::support {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::Ge;

bool readable(const Fd& fd, milliseconds patience) {
  pollfd polled{.fd = fd.get(), .events = POLLIN, .revents = 0};
  return poll(&polled, 1, static_cast<int>(patience.count())) == 1;
}

void say(const Fd& fd, const std::string& text) {
  ASSERT_EQ(send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(text.size()));
}

// What arrives next; "end" when the other side has closed, "reset" when it has gone.
std::string hear(const Fd& fd) {
  std::array<char, 256> buffer;
  if (!readable(fd, kGenerous)) {
    return "silence";
  }
  const ssize_t n = recv(fd.get(), buffer.data(), buffer.size(), 0);
  if (n < 0) {
    return "reset";
  }
  return n == 0 ? "end" : std::string(buffer.data(), static_cast<std::size_t>(n));
}

// A client, the gate and the server's side of the client's connection.
class TcpGateTest : public ::testing::Test {
 protected:
  TcpGateTest() : target_(listen_loopback(target_port_)), gate_(target_port_) {}

  Fd accept_one() {
    return readable(target_, kGenerous) ? Fd(accept(target_.get(), nullptr, nullptr)) : Fd();
  }

  const std::uint16_t target_port_ = free_port();
  const Fd target_;
  TcpGate gate_;
};

TEST_F(TcpGateTest, passes_both_ways_and_hands_on_the_end) {
  Fd client = connect_loopback(gate_.port());
  const Fd server = accept_one();
  say(client, "question");
  EXPECT_EQ(hear(server), "question");
  say(server, "answer");
  EXPECT_EQ(hear(client), "answer");
  EXPECT_EQ(gate_.connections(), 1U);
  client.reset();
  EXPECT_EQ(hear(server), "end");
}

TEST_F(TcpGateTest, delay_is_added_each_way) {
  const Fd client = connect_loopback(gate_.port());
  const Fd server = accept_one();
  gate_.delay(milliseconds(60));
  const auto sent = steady_clock::now();
  say(client, "question");
  EXPECT_EQ(hear(server), "question");
  say(server, "answer");
  EXPECT_EQ(hear(client), "answer");
  EXPECT_GE(steady_clock::now() - sent, milliseconds(120));
}

TEST_F(TcpGateTest, what_was_sent_into_a_stall_arrives_after_it) {
  gate_.stall();
  const Fd client = connect_loopback(gate_.port());
  ASSERT_TRUE(client) << "a stalled gate accepts";
  const Fd server = accept_one();
  say(client, "question");
  EXPECT_FALSE(readable(server, milliseconds(50)));
  gate_.open();
  EXPECT_EQ(hear(server), "question");
}

TEST_F(TcpGateTest, a_cut_ends_connections_and_refuses_new_ones) {
  const Fd client = connect_loopback(gate_.port());
  const Fd server = accept_one();
  gate_.cut();
  EXPECT_EQ(hear(client), "end");
  EXPECT_EQ(hear(server), "end");
  EXPECT_FALSE(connect_loopback(gate_.port()));
  gate_.open();
  EXPECT_TRUE(connect_loopback(gate_.port()));
}

TEST_F(TcpGateTest, a_reset_is_one_for_both_sides_and_clients_may_come_back) {
  const Fd client = connect_loopback(gate_.port());
  const Fd server = accept_one();
  gate_.reset_connections();
  EXPECT_EQ(hear(client), "reset");
  EXPECT_EQ(hear(server), "reset");
  const Fd again = connect_loopback(gate_.port());
  const Fd server_again = accept_one();
  say(again, "question");
  EXPECT_EQ(hear(server_again), "question");
}

TEST_F(TcpGateTest, a_reply_breaks_off_and_the_next_client_is_served_as_far) {
  const Fd client = connect_loopback(gate_.port());
  const Fd server = accept_one();
  say(client, "question");
  EXPECT_EQ(hear(server), "question");
  gate_.break_replies(4);
  say(server, "answer");
  EXPECT_EQ(hear(client), "answ");
  EXPECT_EQ(hear(client), "end");
  const Fd again = connect_loopback(gate_.port());
  const Fd server_again = accept_one();
  say(server_again, "yes");
  EXPECT_EQ(hear(again), "yes");
  gate_.open();
  say(server_again, "no longer short");
  EXPECT_EQ(hear(again), "no longer short");
}

TEST_F(TcpGateTest, it_can_be_pointed_elsewhere_for_those_to_come) {
  const std::uint16_t other_port = free_port();
  const Fd other = listen_loopback(other_port);
  const Fd before = connect_loopback(gate_.port());
  const Fd server = accept_one();
  gate_.point_to(other_port);
  say(before, "here still");
  EXPECT_EQ(hear(server), "here still");
  const Fd after = connect_loopback(gate_.port());
  ASSERT_TRUE(readable(other, kGenerous));
  const Fd elsewhere(accept(other.get(), nullptr, nullptr));
  say(after, "there now");
  EXPECT_EQ(hear(elsewhere), "there now");
}

TEST_F(TcpGateTest, megabytes_pass_whole_through_a_reader_that_dawdles) {
  constexpr std::size_t kBytes = 8 << 20;
  const Fd client = connect_loopback(gate_.port());
  const Fd server = accept_one();
  std::thread sender([&] {
    const std::string megabyte(1 << 20, 'x');
    for (std::size_t sent = 0; sent < kBytes; sent += megabyte.size()) {
      say(client, megabyte);
    }
  });
  std::this_thread::sleep_for(milliseconds(50));
  std::size_t received = 0;
  std::array<char, 65536> buffer;
  while (received < kBytes && readable(server, kGenerous)) {
    const ssize_t n = recv(server.get(), buffer.data(), buffer.size(), 0);
    ASSERT_GT(n, 0);
    received += static_cast<std::size_t>(n);
  }
  sender.join();
  EXPECT_EQ(received, kBytes);
}

}  // namespace
}  // namespace stock::support

// Shoppers who fight over small stocks through several stockds, and the books that are gone through
// afterwards: is each acknowledged request in the ledger exactly once, and each refused one not at
// all?
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "support/postgres_server.h"
#include "support/sql.h"
#include "support/stock_client.h"
#include "support/stockd_process.h"
#include "support/tcp_gate.h"

namespace stock::faults {

// One stockd behind a gate to the primary.
struct Till {
  std::unique_ptr<support::TcpGate> gate;
  std::unique_ptr<support::StockdProcess> stockd;
};

class Shop {
 public:
  explicit Shop(int tills, std::vector<std::string> flags = {});

  // A key with as much on the shelf, that nobody used before.
  std::string stock(std::int64_t on_hand, const std::string& location = "main");

  [[nodiscard]] support::Sql sql() const { return primary.connect(); }
  // How many backends wait for a heavyweight lock.
  [[nodiscard]] std::int64_t waiting() const;

  // Everything that has to hold of any ledger, and that nothing was sold twice; a finding fails the
  // test.
  void check_ledger() const;

  support::PostgresServer primary;
  std::vector<Till> tills;

 private:
  std::atomic<int> last_sku_ = 0;
};

// A request for `id` of one line.
v1::CreateReservationRequest hold(const std::string& id, const std::string& sku,
                                  std::int64_t quantity, int seconds = 60);
std::string make_id(std::mt19937_64& random);

// Many shoppers, each on a thread, each with its own reservations.
class Crowd {
 public:
  struct Options {
    int shoppers = 240;
    std::uint64_t seed = 0;
  };
  // Shops for `skus` of `shop`; both outlive it.
  Crowd(Options options, Shop& shop, std::vector<std::string> skus);

  // Runs the shoppers until `meanwhile` returns; then everyone finds out what became of the calls
  // whose outcome is not known.
  void run(const std::function<void()>& meanwhile);
  // Requests that were answered for good.
  [[nodiscard]] std::uint64_t answered() const { return answered_; }
  // Goes through the books, after run(). A finding fails the test.
  void check() const;
  [[nodiscard]] std::string summary() const;

 private:
  struct Receipt {
    std::string method;
    bool applied = false;
    std::string reservation;
    // Per key: the version that the call made.
    std::map<std::pair<std::string, std::string>, std::int64_t> versions;
    bool replayed = false;  // nobody knows the versions of a repeated CreateReservation
  };
  class Shopper;

  template <typename Response>
  void note(const std::string& method, const std::string& id, const std::string& reservation,
            const support::Called<Response>& called, bool maybe);

  const Options options_;
  Shop& shop_;
  const std::vector<std::string> skus_;
  const std::set<std::string> others_;  // what the ledger remembered before
  std::atomic<bool> closing_ = false;
  std::atomic<std::uint64_t> answered_ = 0;

  std::mutex mutex_;                           // guards the rest
  std::map<std::string, Receipt> receipts_;    // by request id
  std::map<std::string, std::uint64_t> ends_;  // "Commit OK", "Create INSUFFICIENT_STOCK"...
  // Asks about those that were refused after an attempt whose outcome nobody knows.
  std::vector<std::function<void(support::StockClient&)>> doubts_;
};

}  // namespace stock::faults

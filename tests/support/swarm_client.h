// One client of the swarm: decides what to do next by its own random numbers, does it, and writes
// down what it was told. Of one thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "support/history.h"
#include "support/stock_client.h"
#include "support/swarm.h"

namespace stock::support {

// A write's token, and which write that was.
struct Token {
  std::string request;
  std::string text;
};

// Tokens that clients hand to each other. Thread-safe.
class TokenBoard {
 public:
  void pin(const Token& token);
  // One of the last; with an empty text when there is none.
  Token any(std::uint64_t chance);

 private:
  std::mutex mutex_;
  std::deque<Token> tokens_;
};

class SwarmClient {
 public:
  SwarmClient(const Swarm::Options& options, int number, TokenBoard& board);

  // One call, or a request until it is answered; whether the last call was.
  bool act();

  std::vector<ReadOp> reads;
  std::vector<WriteOp> writes;
  std::uint64_t answered = 0;
  std::uint64_t failed = 0;

 private:
  bool read();
  bool read_one(ReadOp op, const v1::Consistency& consistency);
  bool read_batch(ReadOp op, const v1::Consistency& consistency);
  bool read_totals(ReadOp op, const v1::Consistency& consistency);
  bool check_cart(ReadOp op, const v1::Consistency& consistency);
  bool read_version(ReadOp op);
  bool list(ReadOp op, const v1::Consistency& consistency);
  v1::Consistency choose(ReadOp& op);
  bool note(const Ended& ended, ReadOp& op);

  bool adjust();
  bool set();
  bool import();
  // Tries until the fate is known, now and then once more. `call` asks one stockd.
  template <typename Request, typename Call>
  bool write(Request request, WriteOp op, Call call);

  StockClient& stockd();
  std::uint64_t pick(std::uint64_t below) { return chance_() % below; }
  bool once_in(std::uint64_t n) { return pick(n) == 0; }
  const domain::Key& key();
  std::string next_request();

  const Swarm::Options& options_;
  const int number_;
  TokenBoard& board_;
  std::mt19937_64 chance_;
  std::vector<std::unique_ptr<StockClient>> stockds_;
  std::size_t at_ = 0;  // the stockd that it talks to at present
  std::uint64_t requests_ = 0;
  std::deque<Token> tokens_;                       // its own last ones
  domain::DatabaseTime known_;                     // the latest instant that it was told of
  std::map<domain::Key, domain::Version> newest_;  // that it was told of
};

}  // namespace stock::support

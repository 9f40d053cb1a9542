// What the memory layer is worth, by itself: the layer that stockd has, in this process, without a
// server. One subcommand for each question; each prints one JSON document.
//
//   hits   the share of reads that it answers, next to LRU and to the optimum, of as many entries
//   bytes  what a key takes, as the system counts it
//   apply  how fast it takes what the feed tells, holding few keys and many
#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <limits>
#include <list>
#include <memory>
#include <queue>
#include <random>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "stock/domain/snapshot.h"
#include "stock/feed/view.h"
#include "stock/memory/memory_layer.h"

namespace {

using stock::domain::Key;
using stock::domain::Reading;
using stock::memory::MemoryLayer;

using KeyNumber = std::uint32_t;
using Trace = std::vector<KeyNumber>;

constexpr stock::domain::Incarnation kIncarnation = 1;

Key key_of(KeyNumber number) {
  return {.sku = fmt::format("BENCH-{}", number), .location = "main"};
}

Reading first_reading() {
  Reading reading;
  reading.exists = true;
  reading.version = 1;
  reading.counts.on_hand = 100;
  reading.incarnation = kIncarnation;
  reading.heartbeat = 1;
  return reading;
}

void offer(MemoryLayer& layer, const Key& key) {
  const Reading reading = first_reading();
  layer.offer({&key, 1}, {&reading, 1});
}

// ---- hits

// Which of the reads are hits, when `capacity` keys can be held.
std::vector<bool> hits_of_memory(const Trace& trace, std::size_t capacity) {
  const stock::feed::View no_feed(0);
  MemoryLayer layer({.capacity = capacity}, no_feed);
  std::vector<bool> hits;
  for (const KeyNumber number : trace) {
    const Key key = key_of(number);
    stock::layers::Answer answer;
    layer.read({&key, 1}, {&answer, 1}, {}, [](const std::string&) {});
    hits.push_back(answer.found());
    if (!answer.found()) offer(layer, key);
  }
  return hits;
}

std::vector<bool> hits_of_lru(const Trace& trace, std::size_t capacity) {
  std::list<KeyNumber> queue;
  std::unordered_map<KeyNumber, std::list<KeyNumber>::iterator> held;
  std::vector<bool> hits;
  for (const KeyNumber number : trace) {
    const auto it = held.find(number);
    hits.push_back(it != held.end());
    if (it != held.end()) {
      queue.splice(queue.begin(), queue, it->second);
      continue;
    }
    if (queue.size() == capacity) {
      held.erase(queue.back());
      queue.pop_back();
    }
    queue.push_front(number);
    held[number] = queue.begin();
  }
  return hits;
}

// Belady: what is read again last goes first; also what has just come.
std::vector<bool> hits_of_optimum(const Trace& trace, std::size_t capacity) {
  constexpr auto kNever = std::numeric_limits<std::uint32_t>::max();
  std::vector<std::uint32_t> next(trace.size(), kNever);
  std::unordered_map<KeyNumber, std::uint32_t> later;
  for (std::size_t i = trace.size(); i-- > 0;) {
    if (const auto it = later.find(trace[i]); it != later.end()) next[i] = it->second;
    later[trace[i]] = static_cast<std::uint32_t>(i);
  }
  std::unordered_map<KeyNumber, std::uint32_t> held;              // and when they are read again
  std::priority_queue<std::pair<std::uint32_t, KeyNumber>> last;  // of old reads, too
  std::vector<bool> hits;
  for (std::size_t i = 0; i < trace.size(); ++i) {
    hits.push_back(held.contains(trace[i]));
    held[trace[i]] = next[i];
    last.emplace(next[i], trace[i]);
    while (held.size() > capacity) {
      const auto [when, number] = last.top();
      last.pop();
      const auto it = held.find(number);
      if (it != held.end() && it->second == when) held.erase(it);
    }
  }
  return hits;
}

// Reads of keys, key n wanted by 1/n^0.99, of which the last `scanned` of each 100,000 are those of
// a job that walks over all keys.
Trace shoppers_and_scans(std::size_t reads, KeyNumber keys, std::size_t scanned) {
  std::vector<double> cumulative;
  double sum = 0;
  for (KeyNumber rank = 1; rank <= keys; ++rank) cumulative.push_back(sum += std::pow(rank, -0.99));
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> uniform(0, sum);
  Trace trace;
  KeyNumber walked = 0;
  for (std::size_t i = 0; i < reads; ++i) {
    if (i % 100'000 >= 100'000 - scanned) {
      trace.push_back(walked++ % keys);
      continue;
    }
    const auto at = std::lower_bound(cumulative.begin(), cumulative.end() - 1, uniform(random));
    trace.push_back(static_cast<KeyNumber>(at - cumulative.begin()));
  }
  return trace;
}

// One name per line.
Trace read_trace(const std::string& path) {
  std::ifstream file(path);
  std::unordered_map<std::string, KeyNumber> numbers;
  Trace trace;
  for (std::string name; std::getline(file, name);) {
    trace.push_back(
        numbers.try_emplace(name, static_cast<KeyNumber>(numbers.size())).first->second);
  }
  return trace;
}

// Of the reads behind the first fifth, which fills what is empty.
double share(const std::vector<bool>& hits) {
  const auto begin = hits.begin() + static_cast<std::ptrdiff_t>(hits.size() / 5);
  return static_cast<double>(std::count(begin, hits.end(), true)) /
         static_cast<double>(hits.end() - begin);
}

void print_hits(const Trace& trace, std::size_t capacity) {
  fmt::print(R"({{"reads": {}, "memory": {:.4f}, "lru": {:.4f}, "optimum": {:.4f}}})", trace.size(),
             share(hits_of_memory(trace, capacity)), share(hits_of_lru(trace, capacity)),
             share(hits_of_optimum(trace, capacity)));
}

// ---- bytes

std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  file >> total >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

void print_bytes(KeyNumber keys) {
  const stock::feed::View no_feed(0);
  std::size_t themselves = 0;
  const std::size_t before = resident_bytes();
  MemoryLayer layer({.capacity = keys}, no_feed);
  for (KeyNumber number = 0; number < keys; ++number) {
    const Key key = key_of(number);
    offer(layer, key);
    themselves += key.sku.size() + key.location.size() + sizeof(stock::domain::Counts) +
                  sizeof(stock::domain::Version);
  }
  const std::size_t after = resident_bytes();
  // Shards are never equally full: some have evicted, and others have room.
  fmt::print(R"({{"entries": {}, "resident": {:.1f}, "themselves": {:.1f}}})",
             layer.stats().entries,
             1.0 * static_cast<double>(after - before) / layer.stats().entries,
             1.0 * static_cast<double>(themselves) / keys);
}

// ---- apply

// What a process holds, and whom its feed tells, as the feed's tail does.
class Held {
 public:
  explicit Held(KeyNumber keys)
      : keys_(keys), view_(1 << 20), layer_({.capacity = keys + keys / 8}, view_) {
    view_.begin();
    view_.open(kIncarnation, 1);
    for (KeyNumber number = 0; number < keys; ++number) offer(layer_, key_of(number));
  }

  // Moves per second.
  double burst(std::size_t count) {
    constexpr std::size_t kAtOnce = 1000;
    std::chrono::nanoseconds spent{0};
    std::vector<stock::feed::Move> moves(kAtOnce);
    for (std::size_t done = 0; done < count; done += kAtOnce) {
      ++version_;
      for (stock::feed::Move& move : moves) {
        move.key = key_of(static_cast<KeyNumber>(random_() % keys_));
        move.version = version_;
        move.exists = true;
      }
      const auto begun = std::chrono::steady_clock::now();
      view_.record(moves, 3);
      layer_.moved(moves);
      spent += std::chrono::steady_clock::now() - begun;
    }
    return static_cast<double>(count) / std::chrono::duration<double>(spent).count();
  }

 private:
  const KeyNumber keys_;
  stock::feed::View view_;
  MemoryLayer layer_;
  std::mt19937 random_{1};
  stock::domain::Version version_ = 1;
};

void print_applied(KeyNumber keys, KeyNumber few, std::size_t moves, int pairs) {
  Held many(keys);
  Held less(few);
  fmt::print(R"({{"pairs": [)");
  for (int i = 0; i < pairs; ++i) {
    const double of_many = many.burst(moves);
    const double of_few = less.burst(moves);
    fmt::print("{}[{:.0f}, {:.0f}]", i == 0 ? "" : ", ", of_many, of_few);
  }
  fmt::print("]}}");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("bench_memory: what the memory layer is worth");
  app.require_subcommand(1);
  app.option_defaults()->always_capture_default();

  KeyNumber keys = 1'000'000;
  std::size_t capacity = 1000;
  std::size_t reads = 5'000'000;
  std::size_t scanned = 0;
  std::string trace;
  CLI::App& hits = *app.add_subcommand("hits", "Share of reads that are hits");
  hits.add_option("--capacity", capacity, "Keys that can be held")
      ->check(CLI::Range(1, 100'000'000));
  hits.add_option("--trace", trace, "A file of what is read, one name per line; instead of:");
  hits.add_option("--keys", keys, "Key n is wanted by 1/n^0.99")->check(CLI::Range(1, 100'000'000));
  hits.add_option("--reads", reads, "In all; the first fifth does not count");
  hits.add_option("--scanned", scanned, "Of each 100,000, those of a job that walks over all keys")
      ->check(CLI::Range(0, 100'000));

  CLI::App& bytes = *app.add_subcommand("bytes", "Resident bytes per key");
  bytes.add_option("--keys", keys, "Held")->check(CLI::Range(1, 100'000'000));

  KeyNumber few = 10'000;
  std::size_t moves = 1'000'000;
  int pairs = 7;
  CLI::App& apply = *app.add_subcommand("apply", "Moves per second, with many keys and with few");
  apply.add_option("--keys", keys, "Many")->check(CLI::Range(1, 100'000'000));
  apply.add_option("--few", few, "Few")->check(CLI::Range(1, 100'000'000));
  apply.add_option("--moves", moves, "Per burst; rounded up to thousands");
  apply.add_option("--pairs", pairs, "Of bursts")->check(CLI::Range(1, 100));
  CLI11_PARSE(app, argc, argv);

  if (hits) {
    print_hits(trace.empty() ? shoppers_and_scans(reads, keys, scanned) : read_trace(trace),
               capacity);
  } else if (bytes) {
    print_bytes(keys);
  } else {
    print_applied(keys, few, moves, pairs);
  }
  fmt::print("\n");
  return 0;
}

#include "stock/drift/testimony_keeper.h"

#include <algorithm>
#include <utility>

namespace stock::drift {
namespace {

constexpr std::chrono::minutes kPruneEvery(1);

}  // namespace

TestimonyKeeper::TestimonyKeeper(Options options, TestimonyStore& store,
                                 const clock::LocalClock& clock)
    : options_(std::move(options)), store_(store), clock_(clock), thread_([this] { run(); }) {}

TestimonyKeeper::~TestimonyKeeper() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void TestimonyKeeper::judged(const Told& told, const Judged& judged) {
  const Testimony& said = told.testimony;
  Name name(said.witness, said.instance, said.key, said.cohort, said.window.from);
  const std::lock_guard lock(mutex_);
  const auto known = waiting_.find(name);
  if (known == waiting_.end() && waiting_.size() >= options_.capacity) {
    ++dropped_;
    return;
  }
  if (known != waiting_.end() && known->second.dates.sent.latest > told.dates.sent.latest) {
    return;
  }
  KeptTestimony kept{.testimony = said,
                     .dates = told.dates,
                     .incarnation = judged.incarnation,
                     .lies = is_lie(judged.finding.judgement.verdict)};
  waiting_.insert_or_assign(std::move(name), std::move(kept));
}

void TestimonyKeeper::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    const bool last = stopping_;
    lock.unlock();
    absl::Status status = write();
    if (status.ok() && !last) status = prune();
    if (!status.ok()) options_.failed(status);
    lock.lock();
    if (last) return;
    wake_.wait_for(lock, options_.interval, [this] { return stopping_; });
  }
}

absl::Status TestimonyKeeper::write() {
  std::map<Name, KeptTestimony> batch;
  {
    const std::lock_guard lock(mutex_);
    while (!waiting_.empty() && batch.size() < options_.batch) {
      batch.insert(waiting_.extract(waiting_.begin()));
    }
  }
  if (batch.empty()) return absl::OkStatus();
  std::vector<KeptTestimony> rows;
  rows.reserve(batch.size());
  for (const auto& [name, kept] : batch) rows.push_back(kept);
  absl::Status status = store_.keep(rows);
  if (!status.ok()) {
    const std::lock_guard lock(mutex_);
    for (auto& [name, kept] : batch) {
      const auto [newer, missing] = waiting_.try_emplace(name, kept);
      if (!missing && newer->second.dates.sent.latest < kept.dates.sent.latest) {
        newer->second = kept;  // it was older, and came late
      }
    }
  }
  return status;
}

absl::Status TestimonyKeeper::prune() {
  if (!options_.leads()) return absl::OkStatus();
  if (pruned_at_ && clock_.now() - *pruned_at_ < kPruneEvery) return absl::OkStatus();
  const auto kept = store_.prune(options_.rows);
  if (!kept.ok()) return kept.status();
  pruned_at_ = clock_.now();
  const std::lock_guard lock(mutex_);
  rows_.clear();
  for (const TestimonyStore::Rows& row : *kept) rows_[row.witness] = row.rows;
  return absl::OkStatus();
}

std::uint64_t TestimonyKeeper::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

std::int64_t TestimonyKeeper::rows(const std::string& witness) const {
  const std::lock_guard lock(mutex_);
  const auto it = rows_.find(witness);
  return it == rows_.end() ? 0 : it->second;
}

}  // namespace stock::drift

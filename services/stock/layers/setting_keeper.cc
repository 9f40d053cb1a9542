#include "stock/layers/setting_keeper.h"

#include <utility>

namespace stock::layers {

SettingKeeper::SettingKeeper(Options options, SettingStore& store, std::vector<Switch*> switches)
    : options_(std::move(options)), store_(store), switches_(std::move(switches)) {}

void SettingKeeper::start() {
  refresh();
  thread_ = std::thread([this] { run(); });
}

SettingKeeper::~SettingKeeper() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  for (Waiting& waiting : waiting_) {
    waiting.done(absl::UnavailableError("the process is stopping"));
  }
}

void SettingKeeper::change(SettingChange change, Done done) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() < options_.max_changes && !stopping_) {
      waiting_.push_back({std::move(change), std::move(done)});
      wake_.notify_all();
      return;
    }
  }
  done(absl::ResourceExhaustedError("too many changes of layers wait already"));
}

void SettingKeeper::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const bool asked =
        wake_.wait_for(lock, options_.interval, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    std::deque<Waiting> taken = std::exchange(waiting_, {});
    lock.unlock();
    for (Waiting& waiting : taken) make(std::move(waiting));
    if (!asked) refresh();
    lock.lock();
  }
}

void SettingKeeper::refresh() {
  const auto settings = store_.all();
  std::string error(settings.status().message());
  if (!error.empty() && error != error_) options_.failed(error);
  error_ = std::move(error);
  if (!settings.ok()) return;
  for (const Setting& setting : *settings) apply(setting);
}

void SettingKeeper::make(Waiting waiting) {
  absl::StatusOr<Setting> made = store_.change(waiting.change);
  if (made.ok()) apply(*made);
  waiting.done(std::move(made));
}

void SettingKeeper::apply(const Setting& setting) {
  for (Switch* power : switches_) {
    if (power->setting().layer != setting.layer) continue;
    const Setting before = power->set(setting);
    if (before.enabled != setting.enabled || before.repair != setting.repair) {
      options_.changed(before, setting);
    }
  }
}

}  // namespace stock::layers

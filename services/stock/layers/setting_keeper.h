// Keeps the switches of a process as the ledger's database has them: one thread asks every
// `interval`, and makes the changes that this process is asked for. While the database cannot be
// asked, everything stays as it was last known.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "stock/layers/setting.h"
#include "stock/layers/switch.h"

namespace stock::layers {

class SettingKeeper {
 public:
  struct Options {
    std::chrono::milliseconds interval{250};
    std::size_t max_changes = 16;  // that wait
    // Called on the keeper's thread, where a setting is another one than before.
    std::function<void(const Setting& before, const Setting& now)> changed = [](const Setting&,
                                                                                const Setting&) {};
    // The same where the database cannot be asked; a reason is not repeated.
    std::function<void(const std::string& error)> failed = [](const std::string&) {};
  };
  using Done = absl::AnyInvocable<void(absl::StatusOr<Setting>)>;

  // `store` is its thread's. The switches outlive it.
  SettingKeeper(Options options, SettingStore& store, std::vector<Switch*> switches);
  // Makes no further change; those that wait are UNAVAILABLE.
  ~SettingKeeper();
  SettingKeeper(const SettingKeeper&) = delete;
  SettingKeeper& operator=(const SettingKeeper&) = delete;

  // Asks once before it returns, so that what is off is not used at all. Once.
  void start();

  // From any thread. `done` is called once, on the keeper's thread, when the change is made and
  // holds in this process; at once with RESOURCE_EXHAUSTED when too many wait.
  void change(SettingChange change, Done done);

 private:
  struct Waiting {
    SettingChange change;
    Done done;
  };

  void run();
  void refresh();
  void make(Waiting waiting);
  void apply(const Setting& setting);

  const Options options_;
  SettingStore& store_;
  const std::vector<Switch*> switches_;
  std::string error_;  // of the last question

  std::mutex mutex_;  // guards the rest
  std::condition_variable wake_;
  std::deque<Waiting> waiting_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace stock::layers

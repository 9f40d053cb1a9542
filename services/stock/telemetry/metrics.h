#pragma once

// The metrics of one process, in the shape that Prometheus scrapes.
//
// The binary makes one Metrics, and it outlives everything that counts. Everything here may be
// called from any thread, `expose` too. Each metric is exported from zero as soon as it is made: a
// counter that is born at one never shows an increase.
//
// Asking again for a name with the same labels returns the same object. Asking for a name with
// another kind, help or bounds, for a malformed name, or for a callback twice, is a bug and stops
// the process with a message.

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "stock/telemetry/instruments.h"

namespace stock::telemetry {

using Labels = std::vector<std::pair<std::string, std::string>>;

class Metrics {
 public:
  // Asked at each scrape, on the thread that scrapes, with no lock held. What it captures must
  // outlive the scrapes. One that throws is left out of that scrape and counted in
  // `stock_metrics_callback_errors_total`.
  using Callback = std::function<double()>;

  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  Counter& counter(std::string_view name, std::string_view help, Labels labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, Labels labels = {});
  // `bounds`: inclusive upper bounds, finite and strictly rising; one set per name.
  Histogram& histogram(std::string_view name, std::string_view help,
                       const std::vector<double>& bounds, Labels labels = {});

  // For numbers that are kept elsewhere. That of a counter must never fall.
  void counter_callback(std::string_view name, std::string_view help, Labels labels, Callback read);
  void gauge_callback(std::string_view name, std::string_view help, Labels labels, Callback read);

  // Prometheus text format 0.0.4, families by name.
  std::string expose() const;

 private:
  struct Instrument;
  struct Family;
  enum class Kind;

  // The instrument of (name, labels), empty if it is new; `mutex_` must be held.
  Instrument& find_or_add(std::string_view name, std::string_view help, Kind kind, Labels labels);
  void add_callback(std::string_view name, std::string_view help, Kind kind, Labels labels,
                    Callback read);

  mutable std::mutex mutex_;
  std::map<std::string, Family, std::less<>> families_;  // guarded by mutex_; nothing is removed
  Counter& callback_errors_;
};

}  // namespace stock::telemetry

#include "stock/telemetry/metrics.h"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string>
#include <variant>

namespace stock::telemetry {
namespace {

[[noreturn]] void fail(std::string_view name, std::string_view why) {
  std::fprintf(stderr, "metric '%.*s': %.*s\n", static_cast<int>(name.size()), name.data(),
               static_cast<int>(why.size()), why.data());
  std::abort();
}

bool is_name(std::string_view text, bool colons) {
  const auto is_letter = [colons](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colons && c == ':');
  };
  return !text.empty() && is_letter(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

void check_labels(std::string_view name, const Labels& labels) {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::string& label = labels[i].first;
    if (!is_name(label, /*colons=*/false) || label.starts_with("__") || label == "le") {
      fail(name, "label '" + label + "' is malformed or reserved");
    }
    if (i > 0 && labels[i - 1].first == label) {
      fail(name, "label '" + label + "' is given twice");
    }
  }
}

void check_bounds(std::string_view name, const std::vector<double>& bounds) {
  const bool rising = std::adjacent_find(bounds.begin(), bounds.end(),
                                         [](double a, double b) { return a >= b; }) == bounds.end();
  const bool finite =
      std::all_of(bounds.begin(), bounds.end(), [](double bound) { return std::isfinite(bound); });
  if (!rising || !finite) {
    fail(name, "bounds must be finite and strictly rising");
  }
}

// The serializer escapes label values, but not the help: a line break there would end the comment
// and make the whole scrape unreadable.
std::string escaped_help(std::string_view help) {
  std::string escaped;
  for (const char c : help) {
    if (c == '\\') {
      escaped += "\\\\";
    } else if (c == '\n') {
      escaped += "\\n";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

}  // namespace

enum class Metrics::Kind { kCounter, kGauge, kHistogram };

struct Metrics::Instrument {
  std::variant<std::monostate, std::unique_ptr<Counter>, std::unique_ptr<Gauge>,
               std::unique_ptr<Histogram>, Callback>
      source;

  bool is_new() const { return std::holds_alternative<std::monostate>(source); }

  // Makes a T unless there is one. Null if the instrument is something else.
  template <typename T, typename... Args>
  T* get_or_make(Args&&... args) {
    if (is_new()) {
      source = std::make_unique<T>(std::forward<Args>(args)...);
    }
    const auto* made = std::get_if<std::unique_ptr<T>>(&source);
    return made == nullptr ? nullptr : made->get();
  }

  // The number now; empty where its callback threw.
  std::optional<double> read() const {
    if (const auto* counter = std::get_if<std::unique_ptr<Counter>>(&source)) {
      return static_cast<double>((*counter)->value());
    }
    if (const auto* gauge = std::get_if<std::unique_ptr<Gauge>>(&source)) {
      return (*gauge)->value();
    }
    try {
      return std::get<Callback>(source)();
    } catch (const std::exception&) {
      return std::nullopt;
    }
  }
};

struct Metrics::Family {
  std::string help;
  Kind kind;
  std::map<Labels, Instrument> instruments;
};

namespace {

prometheus::ClientMetric::Histogram exported(const Histogram& histogram) {
  const Histogram::Snapshot snapshot = histogram.snapshot();
  prometheus::ClientMetric::Histogram out;
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < histogram.bounds().size(); ++i) {
    cumulative += snapshot.buckets[i];
    out.bucket.push_back({.cumulative_count = cumulative, .upper_bound = histogram.bounds()[i]});
  }
  // The total is the sum of the same buckets, so that a scrape in the middle of an observation
  // never shows a count that its buckets contradict.
  out.sample_count = cumulative + snapshot.buckets.back();
  out.sample_sum = snapshot.sum;
  return out;
}

}  // namespace

Metrics::Metrics()
    : callback_errors_(counter("stock_metrics_callback_errors_total",
                               "Numbers left out of a scrape because reading them failed.")) {}

Metrics::~Metrics() = default;

Metrics::Instrument& Metrics::find_or_add(std::string_view name, std::string_view help, Kind kind,
                                          Labels labels) {
  std::sort(labels.begin(), labels.end());
  auto found = families_.find(name);
  if (found == families_.end()) {
    if (!is_name(name, /*colons=*/true)) {
      fail(name, "is not a metric name");
    }
    found =
        families_.emplace(name, Family{.help = std::string(help), .kind = kind, .instruments = {}})
            .first;
  }
  Family& family = found->second;
  if (family.kind != kind) {
    fail(name, "is already a metric of another kind");
  }
  if (family.help != help) {
    fail(name, "already has another help: " + family.help);
  }
  check_labels(name, labels);
  return family.instruments[std::move(labels)];
}

Counter& Metrics::counter(std::string_view name, std::string_view help, Labels labels) {
  const std::lock_guard lock(mutex_);
  auto* counter = find_or_add(name, help, Kind::kCounter, std::move(labels)).get_or_make<Counter>();
  if (counter == nullptr) {
    fail(name, "is already read by a callback");
  }
  return *counter;
}

Gauge& Metrics::gauge(std::string_view name, std::string_view help, Labels labels) {
  const std::lock_guard lock(mutex_);
  auto* gauge = find_or_add(name, help, Kind::kGauge, std::move(labels)).get_or_make<Gauge>();
  if (gauge == nullptr) {
    fail(name, "is already read by a callback");
  }
  return *gauge;
}

Histogram& Metrics::histogram(std::string_view name, std::string_view help,
                              const std::vector<double>& bounds, Labels labels) {
  check_bounds(name, bounds);
  const std::lock_guard lock(mutex_);
  auto& histogram =
      *find_or_add(name, help, Kind::kHistogram, std::move(labels)).get_or_make<Histogram>(bounds);
  // One set of bounds per name, or the buckets of two label sets could not be added.
  const Instrument& first = families_.find(name)->second.instruments.begin()->second;
  if (histogram.bounds() != bounds ||
      std::get<std::unique_ptr<Histogram>>(first.source)->bounds() != bounds) {
    fail(name, "already has other bounds");
  }
  return histogram;
}

void Metrics::add_callback(std::string_view name, std::string_view help, Kind kind, Labels labels,
                           Callback read) {
  const std::lock_guard lock(mutex_);
  Instrument& instrument = find_or_add(name, help, kind, std::move(labels));
  if (!instrument.is_new()) {
    fail(name, "is already kept or read with these labels");
  }
  instrument.source = std::move(read);
}

void Metrics::counter_callback(std::string_view name, std::string_view help, Labels labels,
                               Callback read) {
  add_callback(name, help, Kind::kCounter, std::move(labels), std::move(read));
}

void Metrics::gauge_callback(std::string_view name, std::string_view help, Labels labels,
                             Callback read) {
  add_callback(name, help, Kind::kGauge, std::move(labels), std::move(read));
}

std::string Metrics::expose() const {
  struct Source {
    const Labels* labels;
    const Instrument* instrument;
  };
  struct Part {
    const std::string* name;
    const Family* family;
    std::vector<Source> sources;
  };
  // Nothing is ever removed, so what is listed under the lock is read without it: a callback may
  // take its time, or make a metric itself.
  std::vector<Part> parts;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, family] : families_) {
      Part& part = parts.emplace_back(Part{.name = &name, .family = &family, .sources = {}});
      for (const auto& [labels, instrument] : family.instruments) {
        part.sources.push_back({.labels = &labels, .instrument = &instrument});
      }
    }
  }

  std::vector<prometheus::MetricFamily> families;
  for (const Part& part : parts) {
    prometheus::MetricFamily& family = families.emplace_back();
    family.name = *part.name;
    family.help = escaped_help(part.family->help);
    family.type = part.family->kind == Kind::kCounter ? prometheus::MetricType::Counter
                  : part.family->kind == Kind::kGauge ? prometheus::MetricType::Gauge
                                                      : prometheus::MetricType::Histogram;
    for (const Source& source : part.sources) {
      prometheus::ClientMetric metric;
      for (const auto& [label, value] : *source.labels) {
        metric.label.push_back({.name = label, .value = value});
      }
      if (part.family->kind == Kind::kHistogram) {
        metric.histogram =
            exported(*std::get<std::unique_ptr<Histogram>>(source.instrument->source));
      } else if (const auto number = source.instrument->read()) {
        metric.counter.value = *number;
        metric.gauge.value = *number;
      } else {
        callback_errors_.add();
        continue;
      }
      family.metric.push_back(std::move(metric));
    }
    if (family.metric.empty()) {
      families.pop_back();
    }
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace stock::telemetry

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "stockctl/files/sales_file.h"
#include "stockctl/files/sha256.h"
#include "stockctl/load/booking.h"
#include "stockctl/load/line_report.h"
#include "stockctl/rpc/patient_writes.h"
#include "stockctl/text/progress.h"

namespace stockctl {

struct ReplayOptions {
  // Of the file, and the options that change what is made of it: together they name the writes.
  Sha256::Digest digest;
  std::string words;
  std::string actor;
  // Invoices at the same time.
  std::size_t in_flight;
  // Times as fast as the file's own time; empty: as fast as possible.
  std::optional<double> speed;
  std::chrono::nanoseconds retry_for;
};

// In lines of the file.
struct ReplaySummary {
  std::int64_t sold = 0;
  std::int64_t brought_back = 0;
  // By an earlier run, or by tries of this one whose answers were all lost.
  std::int64_t already_applied = 0;
  std::int64_t refused = 0;
  std::int64_t bad = 0;
  // Tries of a write that had to be made again.
  std::int64_t retries = 0;
  std::chrono::nanoseconds time{};
  // What ended it before its end, if anything did; a cancelled status stands for Ctrl-C.
  absl::Status stopped;

  std::int64_t done() const { return sold + brought_back + already_applied + refused + bad; }
};

// Applies a sales file as a shop would: the lines of an invoice that sell are reserved together,
// all or none, then committed, then fulfilled; those that bring stock back are one adjustment. Many
// invoices at once, in an order that makes no difference (BookingOrder). The ids of all that is
// written follow from the file and the place in it: trying again, and running again, are harmless,
// and an invoice that was interrupted is taken up where it was. One thread; used once.
class Replayer {
 public:
  // `refused` is told of the invoices for which there was too little stock, `bad` of those that the
  // server does not understand, by their first lines.
  Replayer(const ClientOptions& client, const Sales& sales, const ReplayOptions& options,
           LineReport& refused, LineReport& bad);

  ReplaySummary run(Progress& progress);

 private:
  using Clock = std::chrono::steady_clock;

  enum class Step { kBringBack, kReserve, kCommit, kFulfill };

  // A booking that has begun.
  struct Open {
    Step step;
    // A hold that ended before it was committed is made anew, under another id.
    int attempt = 1;
    // Something of it was not there before.
    bool applied = false;
  };

  void begin_what_is_due(Clock::time_point now);
  void begin(std::uint32_t booking);
  // When the next booking may begin, at the replay's speed.
  Clock::time_point next_due() const;
  std::chrono::nanoseconds time_to_next(Clock::time_point now) const;
  WriteRequest request_of(std::uint32_t booking) const;
  void take(const WriteAnswer& answer);
  // What follows on this answer; nothing: the booking has ended.
  std::optional<Step> next_step(Open& open, const WriteResponse& response);
  std::optional<Step> next_step(Open& open, const Booking& booking, const absl::Status& refusal);
  void end(std::uint32_t booking);

  const Sales& sales_;
  const ReplayOptions& options_;
  LineReport& refused_;
  LineReport& bad_;
  const std::vector<Booking> bookings_;
  BookingOrder order_;
  PatientWrites writes_;
  Clock::time_point began_;
  // The next of the bookings.
  std::uint32_t next_ = 0;
  // How many have begun, or wait in order_ until they may, and have not ended.
  std::size_t under_way_ = 0;
  std::unordered_map<std::uint32_t, Open> open_;
  ReplaySummary summary_;
};

}  // namespace stockctl

// What one era's ledger says about when its versions were true, with what clients saw of it.
#pragma once

#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "support/clock_bounds.h"
#include "support/history.h"

namespace stock::support {

class EraTruth {
 public:
  EraTruth(const Era& era, const ClockBounds& clock);

  // Somebody saw this version by `at`. Before seal().
  void seen(const domain::Key& key, domain::Version version, domain::LocalTime at);
  // What shows a version shows all before it.
  void seal();

  [[nodiscard]] const Ledger& ledger() const { return era_.ledger; }
  [[nodiscard]] std::optional<domain::LocalTime> ended() const { return era_.ended; }

  // Nothing where there is none.
  [[nodiscard]] const LedgerMovement* movement(const domain::Key& key,
                                               domain::Version version) const;
  // Whether the transaction that made this version also replaced it.
  [[nodiscard]] bool hidden(const domain::Key& key, domain::Version version) const;
  // By then it had been replaced for certain. Nothing: it is the newest, or nobody knows.
  [[nodiscard]] std::optional<domain::DatabaseTime> replaced_by(const domain::Key& key,
                                                                domain::Version version) const;
  // The newest version that was visible for certain before `at`; 0: none.
  [[nodiscard]] domain::Version newest_before(const domain::Key& key, domain::LocalTime at) const;
  [[nodiscard]] domain::Version newest_before(const domain::Key& key,
                                              domain::DatabaseTime at) const;
  // Versions that can have been the truth at an instant.
  [[nodiscard]] bool possible_at(const domain::Key& key, domain::Version version,
                                 domain::DatabaseTime at) const;

  // A version that can have been the truth, and between which instants.
  struct Candidate {
    const LedgerMovement* movement = nullptr;  // nothing: never moved
    domain::DatabaseTime since = domain::DatabaseTime::min();
    domain::DatabaseTime until = domain::DatabaseTime::max();
  };
  // All from version `least` on that can have been the truth at some instant from `from` to `to`.
  [[nodiscard]] std::vector<Candidate> candidates(const domain::Key& key, domain::DatabaseTime from,
                                                  domain::DatabaseTime to,
                                                  domain::Version least) const;
  // How many versions between these two, both left out, were ever visible.
  [[nodiscard]] std::int64_t visible_between(const domain::Key& key, domain::Version low,
                                             domain::Version high) const;

  // The movements that a request made.
  using Made = std::vector<std::pair<domain::Key, domain::Version>>;
  [[nodiscard]] const Made* made_by(const std::string& request) const;

 private:
  // The earliest proofs that a version was visible, by either clock.
  struct Proof {
    domain::DatabaseTime database = domain::DatabaseTime::max();
    domain::LocalTime local = domain::LocalTime::max();
  };
  struct KeyTruth {
    const std::vector<LedgerMovement>* movements = nullptr;
    std::vector<Proof> proofs;  // of each movement
  };
  [[nodiscard]] const KeyTruth* find(const domain::Key& key) const;

  const Era& era_;
  const ClockBounds& clock_;
  std::map<domain::Key, KeyTruth> keys_;
  std::map<std::string, Made> made_by_;
};

}  // namespace stock::support

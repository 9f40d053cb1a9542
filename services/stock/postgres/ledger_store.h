// The write path's transactions, on a session of their own.
#pragma once

#include <chrono>
#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "stock/feed/ledger_identity.h"
#include "stock/ledger/store.h"
#include "stock/postgres/session.h"

namespace stock::postgres {

class LedgerStore final : public ledger::Store {
 public:
  // What a session for writing adds to the options of any session: how long to wait for others'
  // locks, and how long the server keeps ours when it no longer hears from us.
  static SessionOptions for_writing(SessionOptions options);

  // `session` is to the primary, and nobody else's. It outlives the store, which outlives its
  // transactions. `identity` learns which ledger is written to; it outlives both.
  LedgerStore(Session& session, feed::LedgerIdentity& identity)
      : session_(session), identity_(identity) {}

  // INTERNAL while another one is open.
  absl::StatusOr<std::unique_ptr<ledger::Transaction>> begin() override;
  // The same.
  absl::StatusOr<ledger::Holders> holders(std::span<const domain::Key> keys) override;

 private:
  Session& session_;
  feed::LedgerIdentity& identity_;
  bool open_ = false;
};

}  // namespace stock::postgres

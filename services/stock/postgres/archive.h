// The ledger's history and the testimonies, as whoever judges these reads them.
#pragma once

#include <span>
#include <vector>

#include "stock/drift/archive.h"
#include "stock/postgres/ledger_history.h"

namespace stock::postgres {

class Archive final : public drift::Archive {
 public:
  // `session` is to the primary, and nobody else's.
  Archive(Session& session, Knowledge knowledge)
      : session_(session), history_(session, knowledge) {}

  absl::StatusOr<std::vector<drift::KeyHistory>> histories(
      std::span<const drift::HistoryQuestion> questions) override {
    return history_.histories(questions);
  }
  absl::StatusOr<std::vector<domain::Xid>> writers() override { return history_.writers(); }
  absl::StatusOr<std::vector<domain::Key>> keys_after(const domain::Key& after,
                                                      int limit) override {
    return history_.keys_after(after, limit);
  }
  absl::StatusOr<std::vector<drift::FoundVersion>> find(
      std::span<const drift::Sought> sought) override;
  absl::StatusOr<std::vector<drift::SoldAnswer>> sold(
      std::span<const drift::SoldQuestion> questions) override;
  absl::StatusOr<std::vector<drift::KeptTestimony>> testimonies(const domain::Key& key,
                                                                std::int32_t instances) override;

 private:
  Session& session_;
  LedgerHistory history_;
};

}  // namespace stock::postgres

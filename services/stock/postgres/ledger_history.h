// The ledger's history, as the auditor reads it.
#pragma once

#include <span>
#include <vector>

#include "absl/functional/function_ref.h"
#include "stock/drift/history.h"
#include "stock/postgres/asker.h"
#include "stock/postgres/session.h"

namespace stock::postgres {

class Fields;

class LedgerHistory final : public drift::HistorySource {
 public:
  // `session` is to the primary, and nobody else's.
  LedgerHistory(Session& session, Knowledge knowledge)
      : session_(session), identity_(knowledge.identity), asker_(Role::kPrimary, knowledge) {}

  absl::StatusOr<std::vector<drift::KeyHistory>> histories(
      std::span<const drift::HistoryQuestion> questions) override;
  absl::StatusOr<std::vector<drift::KeyHistory>> newest(std::span<const domain::Key> keys) override;
  absl::StatusOr<std::vector<domain::Xid>> writers() override;
  absl::StatusOr<std::vector<domain::Key>> keys_after(const domain::Key& after, int limit) override;

 private:
  using ReadRow = absl::FunctionRef<void(Fields&, drift::KeyHistory&)>;

  absl::StatusOr<std::vector<drift::KeyHistory>> ask(const Statement& statement,
                                                     const std::vector<std::string>& parameters,
                                                     std::size_t keys, ReadRow read);

  Session& session_;
  const feed::LedgerIdentity& identity_;
  const Asker asker_;
};

}  // namespace stock::postgres

#include "support/fsck.h"

#include <gtest/gtest.h>

#include "stockctl/ledger/examination.h"

namespace stock::support {

void expect_sound_ledger(const PostgresServer& server) {
  const auto ledger = stockctl::LedgerExamination::connect(server.url("postgres"));
  ASSERT_TRUE(ledger.ok()) << ledger.status();
  const auto report = (*ledger)->examine();
  ASSERT_TRUE(report.ok()) << report.status();
  for (const auto& result : report->results) {
    for (const auto& [subject, says] : result.first) {
      ADD_FAILURE() << result.check->name << ": " << subject << ' ' << says;
    }
  }
}

}  // namespace stock::support

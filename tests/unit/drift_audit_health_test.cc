#include <gtest/gtest.h>

#include "stock/drift/audit_health.h"
#include "support/manual_clock.h"

namespace stock::drift {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(AuditHealthTest, one_who_is_late_says_so_until_he_has_finished) {
  support::ManualClock clock;
  AuditHealth health(seconds(5), clock);
  clock.advance(seconds(5));
  EXPECT_EQ(health.complaint(), "");
  clock.advance(milliseconds(100));
  EXPECT_EQ(health.complaint(), "the last pass was 5.1 s ago") << "before the first one too";
  health.finished();
  EXPECT_EQ(health.complaint(), "");
}

TEST(AuditHealthTest, a_pass_that_failed_is_told_at_once_and_until_one_succeeds) {
  support::ManualClock clock;
  AuditHealth health(seconds(5), clock);
  health.finished();
  clock.advance(milliseconds(200));
  health.failed(absl::UnavailableError("no line"));
  clock.advance(milliseconds(300));
  EXPECT_EQ(health.complaint(), "nothing is judged: no line; the last pass was 0.5 s ago");
  health.finished();
  EXPECT_EQ(health.complaint(), "");
}

}  // namespace
}  // namespace stock::drift

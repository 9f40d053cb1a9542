#include <gtest/gtest.h>

#include "stock/rpc/resume_token.h"

namespace stock::rpc {
namespace {

ResumeToken example() {
  return {.ledger = 0x1234567890abcdef,
          .incarnation = 0xfedcba0987654321,
          .request = 77,
          .since = *domain::Snapshot::parse("100:120:100,119"),
          .through = *domain::Snapshot::parse("121:121:"),
          .after = {"SKU 1", "LON"},
          .after_version = 42};
}

TEST(ResumeToken, comes_back_as_it_was) {
  EXPECT_EQ(read_resume_token(make_resume_token(example())), example());
  ResumeToken whole = example();
  whole.through.reset();
  whole.after = {};
  EXPECT_EQ(read_resume_token(make_resume_token(whole)), whole);
}

TEST(ResumeToken, with_a_character_changed_or_missing_it_is_refused) {
  const std::string token = make_resume_token(example());
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(read_resume_token(changed)) << i;
    EXPECT_FALSE(read_resume_token(token.substr(0, i))) << i;
  }
  EXPECT_FALSE(read_resume_token(token + "A"));
  EXPECT_FALSE(read_resume_token(token + "="));
  EXPECT_FALSE(read_resume_token(""));
  EXPECT_FALSE(read_resume_token("garbage"));
  EXPECT_FALSE(read_resume_token(std::string(1 << 20, 'A')));
}

TEST(ResumeToken, holds_a_snapshot_of_many_running_transactions) {
  std::vector<domain::Xid> running;
  for (domain::Xid xid = 5'000'000'000; xid < 5'000'001'000; ++xid) running.push_back(xid);
  ResumeToken token = example();
  token.since = domain::Snapshot(running.front(), running.back() + 1, running);
  EXPECT_EQ(read_resume_token(make_resume_token(token)), token);
}

}  // namespace
}  // namespace stock::rpc

// Waiting for something that comes about by itself: polls a value until a matcher accepts it.
//
//   EXPECT_TRUE(eventually([&] { return redis.keys(); }, SizeIs(3)));
//
// The limit is generous, because it is only ever reached by a test that fails: machines are slow.
// A getter that throws has no value yet.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <exception>
#include <string>
#include <thread>

namespace stock::support {

constexpr std::chrono::seconds kGenerous(60);

template <typename Get, typename Matcher>
::testing::AssertionResult eventually(Get get, Matcher matcher,
                                      std::chrono::milliseconds limit = kGenerous) {
  using Value = std::decay_t<decltype(get())>;
  const ::testing::Matcher<const Value&> wanted = ::testing::SafeMatcherCast<const Value&>(matcher);
  const auto deadline = std::chrono::steady_clock::now() + limit;
  std::string last;
  do {
    try {
      const Value value = get();
      if (wanted.Matches(value)) {
        return ::testing::AssertionSuccess();
      }
      last = "the last value was " + ::testing::PrintToString(value);
    } catch (const std::exception& error) {
      last = std::string("the last attempt threw: ") + error.what();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  } while (std::chrono::steady_clock::now() < deadline);
  return ::testing::AssertionFailure()
         << "nothing that " << ::testing::DescribeMatcher<const Value&>(wanted) << " within "
         << limit.count() << " ms; " << last;
}

// Until a condition holds.
template <typename Condition>
::testing::AssertionResult eventually(Condition condition) {
  return eventually(std::move(condition), ::testing::IsTrue());
}

}  // namespace stock::support

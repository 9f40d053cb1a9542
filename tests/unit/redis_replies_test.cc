#include <fmt/format.h>
#include <gtest/gtest.h>
#include <hiredis/hiredis.h>

#include <memory>
#include <string>
#include <string_view>

#include "stock/redis/replies.h"

namespace stock::redis {
namespace {

std::string_view text(const redisReply& reply) { return {reply.str, reply.len}; }

class RedisRepliesTest : public testing::Test {
 protected:
  RedisRepliesTest() { replies_.make_those_of(*reader_); }

  void feed(std::string_view bytes) {
    ASSERT_EQ(redisReaderFeed(reader_.get(), bytes.data(), bytes.size()), REDIS_OK);
  }
  // The next reply; null when it is not there as a whole.
  const redisReply* next() {
    void* reply = nullptr;
    EXPECT_EQ(redisReaderGetReply(reader_.get(), &reply), REDIS_OK) << reader_->errstr;
    return static_cast<redisReply*>(reply);
  }
  const redisReply* next(std::string_view bytes) {
    feed(bytes);
    return next();
  }

  Replies replies_;
  std::unique_ptr<redisReader, decltype(&redisReaderFree)> reader_{redisReaderCreate(),
                                                                   redisReaderFree};
};

TEST_F(RedisRepliesTest, are_of_hirediss_own_form) {
  const redisReply* status = next("+OK\r\n");
  ASSERT_NE(status, nullptr);
  EXPECT_EQ(status->type, REDIS_REPLY_STATUS);
  EXPECT_EQ(text(*status), "OK");

  const redisReply* error = next("-NOAUTH first\r\n");
  ASSERT_NE(error, nullptr);
  EXPECT_EQ(error->type, REDIS_REPLY_ERROR);
  EXPECT_STREQ(error->str, "NOAUTH first");

  const redisReply* number = next(":-42\r\n");
  ASSERT_NE(number, nullptr);
  EXPECT_EQ(number->type, REDIS_REPLY_INTEGER);
  EXPECT_EQ(number->integer, -42);
}

TEST_F(RedisRepliesTest, nothing_is_nothing_in_the_place_of_whatever) {
  for (const std::string_view nothing : {"$-1\r\n", "*-1\r\n"}) {
    const redisReply* reply = next(nothing);
    ASSERT_NE(reply, nullptr);
    EXPECT_EQ(reply->type, REDIS_REPLY_NIL);
  }
}

TEST_F(RedisRepliesTest, have_their_parts_in_order) {
  using namespace std::string_view_literals;
  const redisReply* reply = next("*4\r\n$3\r\na\0b\r\n$-1\r\n*2\r\n:1\r\n$0\r\n\r\n+x\r\n"sv);
  ASSERT_NE(reply, nullptr);
  ASSERT_EQ(reply->type, REDIS_REPLY_ARRAY);
  ASSERT_EQ(reply->elements, 4U);
  EXPECT_EQ(reply->element[0]->type, REDIS_REPLY_STRING);
  EXPECT_EQ(text(*reply->element[0]), "a\0b"sv);
  EXPECT_EQ(reply->element[1]->type, REDIS_REPLY_NIL);
  ASSERT_EQ(reply->element[2]->elements, 2U);
  EXPECT_EQ(reply->element[2]->element[0]->integer, 1);
  EXPECT_EQ(text(*reply->element[2]->element[1]), "");
  EXPECT_EQ(text(*reply->element[3]), "x");
}

TEST_F(RedisRepliesTest, an_empty_array_has_no_parts) {
  const redisReply* reply = next("*0\r\n");
  ASSERT_NE(reply, nullptr);
  EXPECT_EQ(reply->type, REDIS_REPLY_ARRAY);
  EXPECT_EQ(reply->elements, 0U);
}

// Whatever the reader does with its own buffer meanwhile.
TEST_F(RedisRepliesTest, may_come_byte_by_byte) {
  std::string bytes = "*1000\r\n";
  for (int i = 0; i < 1000; ++i) bytes += fmt::format("$7\r\nnr {:04}\r\n", i);
  const std::string_view all = bytes;
  for (std::size_t i = 0; i + 1 < all.size(); ++i) ASSERT_EQ(next(all.substr(i, 1)), nullptr) << i;
  const redisReply* reply = next(all.substr(all.size() - 1));
  ASSERT_NE(reply, nullptr);
  for (std::size_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(text(*reply->element[i]), fmt::format("nr {:04}", i));
  }
}

TEST_F(RedisRepliesTest, of_any_size_follow_each_other_in_the_same_place) {
  for (const std::size_t bytes : {1, 101, 1'000'000, 100, 3'000'000, 7}) {
    const std::string value(bytes, 'v');
    // Two at once: the first one is read, and freed, before the second begins.
    const std::string both =
        fmt::format("*2\r\n${0}\r\n{1}\r\n$-1\r\n*1\r\n${0}\r\n{1}\r\n", bytes, value);
    const redisReply* first = next(both);
    ASSERT_NE(first, nullptr);
    EXPECT_EQ(text(*first->element[0]), value);
    reader_->fn->freeObject(const_cast<redisReply*>(first));
    const redisReply* second = next();
    ASSERT_NE(second, nullptr);
    EXPECT_EQ(text(*second->element[0]), value);
  }
}

TEST_F(RedisRepliesTest, what_is_no_reply_is_an_error) {
  feed("*2\r\n+part\r\nnonsense\r\n");
  void* reply = nullptr;
  EXPECT_EQ(redisReaderGetReply(reader_.get(), &reply), REDIS_ERR);
  EXPECT_EQ(reader_->err, REDIS_ERR_PROTOCOL);
}

}  // namespace
}  // namespace stock::redis

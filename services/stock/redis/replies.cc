#include "stock/redis/replies.h"

#include <hiredis/hiredis.h>

#include <cstring>
#include <new>

namespace stock::redis {

// What hiredis calls, from the whole to its parts. Null: there is no memory, by which it gives up
// the connection.
struct ReplyParts {
  static void* string(const redisReadTask* task, char* text, std::size_t length) {
    redisReply* const reply = part(task);
    if (reply == nullptr) return nullptr;
    auto* const copy = static_cast<char*>(allocate(task, length + 1, 1));
    if (copy == nullptr) return nullptr;
    std::memcpy(copy, text, length);
    copy[length] = '\0';
    reply->str = copy;
    reply->len = length;
    return reply;
  }

  static void* array(const redisReadTask* task, int elements) {
    redisReply* const reply = part(task);
    if (reply == nullptr) return nullptr;
    const auto count = static_cast<std::size_t>(elements);
    // Whoever is given the reply finds each of them set.
    void* const places = allocate(task, count * sizeof(redisReply*), alignof(redisReply*));
    if (places == nullptr) return nullptr;
    reply->elements = count;
    reply->element = static_cast<redisReply**>(places);
    return reply;
  }

  static void* integer(const redisReadTask* task, long long number) {
    redisReply* const reply = part(task);
    if (reply != nullptr) reply->integer = number;
    return reply;
  }

  // In the place of a string or an array, which is what the task is of.
  static void* nil(const redisReadTask* task) {
    redisReply* const reply = part(task);
    if (reply != nullptr) reply->type = REDIS_REPLY_NIL;
    return reply;
  }

  static void free(void*) {}

 private:
  static redisReply* part(const redisReadTask* task) {
    const redisReadTask* const whole = task->parent;
    if (whole == nullptr) replies(task).memory_.release();
    void* const place = allocate(task, sizeof(redisReply), alignof(redisReply));
    if (place == nullptr) return nullptr;
    auto* const reply = new (place) redisReply{};
    reply->type = task->type;
    if (whole != nullptr) static_cast<redisReply*>(whole->obj)->element[task->idx] = reply;
    return reply;
  }

  static void* allocate(const redisReadTask* task, std::size_t bytes, std::size_t alignment) {
    try {
      return replies(task).memory_.allocate(bytes, alignment);
    } catch (const std::bad_alloc&) {
      return nullptr;
    }
  }

  static Replies& replies(const redisReadTask* task) {
    return *static_cast<Replies*>(task->privdata);
  }
};

void Replies::make_those_of(redisReader& reader) {
  static redisReplyObjectFunctions parts = {.createString = ReplyParts::string,
                                            .createArray = ReplyParts::array,
                                            .createInteger = ReplyParts::integer,
                                            .createNil = ReplyParts::nil,
                                            .freeObject = ReplyParts::free};
  reader.fn = &parts;
  reader.privdata = this;
}

}  // namespace stock::redis

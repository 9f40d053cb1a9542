// Lets a libuv loop tell hiredis when its socket can be read or written. Commands are written at
// the end of the turn of the loop in which they were sent, all by one write, and the socket is
// watched for being writable only when it does not take them: to watch it for each would cost four
// system calls, and one turn of the loop more.
//
// Used instead of the adapter that comes with hiredis 0.14, which ignores libuv's report of a
// socket error: a connection that was reset, or refused a moment late, would never be noticed.
#pragma once

struct redisAsyncContext;
struct uv_loop_s;

namespace stock::redis {

// Until `context` is freed, which may happen in any of its callbacks. Only on the loop's thread.
// False when the socket cannot be watched.
[[nodiscard]] bool watch_socket(uv_loop_s& loop, redisAsyncContext& context);

}  // namespace stock::redis

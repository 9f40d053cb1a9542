#include "stock/redis/socket_watch.h"

#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <uv.h>

#include <memory>

namespace stock::redis {
namespace {

// Dies when libuv has let go of the handles, which is after hiredis has let go of the context.
class SocketWatch {
 public:
  explicit SocketWatch(redisAsyncContext& context) : context_(&context) {
    socket_.data = this;
    turn_.data = this;
  }

  bool start(uv_loop_t& loop) {
    if (uv_poll_init(&loop, &socket_, context_->c.fd) != 0) return false;
    uv_prepare_init(&loop, &turn_);
    return true;
  }

  // What hiredis calls, with this object as `data`.
  static void add_read(void* data) { self(data).want(UV_READABLE, true); }
  static void drop_read(void* data) { self(data).want(UV_READABLE, false); }
  static void add_write(void* data) { self(data).want_to_write(); }
  static void drop_write(void* data) { self(data).want(UV_WRITABLE, false); }
  static void clean_up(void* data) {
    self(data).context_ = nullptr;
    uv_close(reinterpret_cast<uv_handle_t*>(&self(data).turn_), closed);
    uv_close(reinterpret_cast<uv_handle_t*>(&self(data).socket_), closed);
  }

 private:
  static SocketWatch& self(void* data) { return *static_cast<SocketWatch*>(data); }

  static void closed(uv_handle_t* handle) {
    std::unique_ptr<SocketWatch> watch(&self(handle->data));
    if (--watch->handles_ > 0) watch.release();
  }

  // At each command, and after a write that did not take all.
  void want_to_write() {
    const bool connected = (context_->c.flags & REDIS_CONNECTED) != 0;
    if (!connected || writing_) return want(UV_WRITABLE, true);
    if ((events_ & UV_WRITABLE) != 0) return;
    uv_prepare_start(&turn_, [](uv_prepare_t* turn) { self(turn->data).write(); });
  }

  void write() {
    uv_prepare_stop(&turn_);
    writing_ = true;
    redisAsyncHandleWrite(context_);
    writing_ = false;
  }

  void want(int event, bool wanted) {
    const int events = wanted ? events_ | event : events_ & ~event;
    if (events == events_) return;
    events_ = events;
    apply();
  }

  void apply() {
    if (events_ == 0) {
      uv_poll_stop(&socket_);
    } else {
      uv_poll_start(&socket_, events_, [](uv_poll_t* handle, int status, int events) {
        self(handle->data).happened(status, events);
      });
    }
  }

  void happened(int status, int events) {
    // libuv has stopped watching a socket with an error. Reading it tells hiredis which error.
    if (status < 0) {
      apply();
      events = UV_READABLE;
    }
    if (context_ != nullptr && (events & UV_READABLE) != 0) redisAsyncHandleRead(context_);
    if (context_ != nullptr && (events & UV_WRITABLE) != 0) redisAsyncHandleWrite(context_);
  }

  redisAsyncContext* context_;
  uv_poll_t socket_{};
  uv_prepare_t turn_{};  // before the loop waits; runs only while there is something to write
  int events_ = 0;
  bool writing_ = false;
  int handles_ = 2;
};

}  // namespace

bool watch_socket(uv_loop_t& loop, redisAsyncContext& context) {
  auto watch = std::make_unique<SocketWatch>(context);
  if (!watch->start(loop)) return false;
  context.ev.addRead = SocketWatch::add_read;
  context.ev.delRead = SocketWatch::drop_read;
  context.ev.addWrite = SocketWatch::add_write;
  context.ev.delWrite = SocketWatch::drop_write;
  context.ev.cleanup = SocketWatch::clean_up;
  context.ev.data = watch.release();
  return true;
}

}  // namespace stock::redis

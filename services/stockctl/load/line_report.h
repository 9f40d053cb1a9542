#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace stockctl {

// Lines of a file with which something is wrong: the first few are told one by one, all are
// counted.
class LineReport {
 public:
  using Say = std::function<void(std::string_view text)>;

  // `what` is what such lines are: "bad", "refused".
  LineReport(std::string path, std::string what, Say say)
      : path_(std::move(path)), what_(std::move(what)), say_(std::move(say)) {}

  // `lines` are those that it is about, of which `line` is the first.
  void add(std::int64_t line, std::string_view reason, std::int64_t lines = 1);
  // Says how many more there were than were told.
  void finish() const;

  std::int64_t count() const { return count_; }
  void set_say(Say say) { say_ = std::move(say); }

 private:
  std::string path_;
  std::string what_;
  Say say_;
  std::int64_t count_ = 0;
  int told_ = 0;
  std::int64_t untold_ = 0;
};

}  // namespace stockctl

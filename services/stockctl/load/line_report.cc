#include "stockctl/load/line_report.h"

#include "stockctl/text/concat.h"
#include "stockctl/text/format.h"
#include "stockctl/text/utf8.h"

namespace stockctl {
namespace {

constexpr int kTold = 20;

}  // namespace

void LineReport::add(std::int64_t line, std::string_view reason, std::int64_t lines) {
  count_ += lines;
  if (told_ == kTold) {
    untold_ += lines;
    return;
  }
  ++told_;
  say_(concat(path_, ":", line, ": ", what_, ": ", printable(reason)));
}

void LineReport::finish() const {
  if (untold_ == 0) return;
  say_(concat(path_, ": ", format_count(untold_), " more lines were ", what_));
}

}  // namespace stockctl

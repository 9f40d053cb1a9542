#include "stockctl/load/line_report.h"

#include "stockctl/text/concat.h"
#include "stockctl/text/format.h"
#include "stockctl/text/utf8.h"

namespace stockctl {
namespace {

constexpr std::int64_t kTold = 20;

}  // namespace

void LineReport::add(std::int64_t line, std::string_view reason) {
  if (++count_ > kTold) return;
  say_(concat(path_, ":", line, ": ", what_, ": ", printable(reason)));
}

void LineReport::finish() const {
  if (count_ <= kTold) return;
  say_(concat(path_, ": ", format_count(count_ - kTold), " more lines were ", what_));
}

}  // namespace stockctl

#include "stock/telemetry/build_info.h"

#include <string>

#define STOCK_TEXT_OF(x) #x
#define STOCK_TEXT(x) STOCK_TEXT_OF(x)

namespace stock::telemetry {
namespace {

#if defined(__clang__)
constexpr std::string_view kCompiler = "clang " STOCK_TEXT(__clang_major__) "." STOCK_TEXT(
    __clang_minor__) "." STOCK_TEXT(__clang_patchlevel__);
#else
constexpr std::string_view kCompiler =
    "gcc " STOCK_TEXT(__GNUC__) "." STOCK_TEXT(__GNUC_MINOR__) "." STOCK_TEXT(__GNUC_PATCHLEVEL__);
#endif

}  // namespace

BuildInfo build_info() {
  return {.version = STOCK_VERSION, .compiler = kCompiler, .build_type = STOCK_BUILD_TYPE};
}

void add_build_info(Metrics& metrics) {
  const BuildInfo build = build_info();
  metrics
      .gauge("stock_build_info", "Always 1; the labels tell what was built, with what, and how.",
             {{"version", std::string(build.version)},
              {"compiler", std::string(build.compiler)},
              {"build_type", std::string(build.build_type)}})
      .set(1);
}

}  // namespace stock::telemetry

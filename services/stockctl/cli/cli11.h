#pragma once

// CLI11's classes by name: its headers take seconds to compile.
// NOLINTNEXTLINE(readability-identifier-naming)
namespace CLI {
class App;
class Option;
}  // namespace CLI

#include "stock/config/rules.h"

#include <fmt/format.h>

#include <algorithm>

namespace stock::config {

bool Config::has_layer(std::string_view name) const {
  return std::find(layers.begin(), layers.end(), name) != layers.end();
}

std::vector<std::string> apply_rules(Config& config, bool layers_named) {
  std::vector<std::string> mistakes;
  if (config.primary_url.empty()) {
    mistakes.emplace_back(
        "primary_url is required: the database that holds the ledger (STOCKD_PRIMARY_URL, "
        "--primary-url, or primary_url in the file)");
  }
  const auto need_url = [&](std::string_view layer, const std::string& url) {
    if (!url.empty() || !config.has_layer(layer)) {
      return;
    }
    if (layers_named) {
      mistakes.push_back(fmt::format(
          "layers names {0}, but there is no {0}_url: set it, or leave {0} out", layer));
    } else {
      std::erase(config.layers, layer);
    }
  };
  need_url("redis", config.redis_url);
  need_url("replica", config.replica_url);
  if (config.listen == config.admin_listen && config.listen.port != 0) {
    mistakes.push_back(
        fmt::format("listen and admin_listen are both {}: they must differ", config.listen.text()));
  }
  if (config.flags_address.empty() != config.flags.empty()) {
    mistakes.emplace_back(config.flags.empty()
                              ? "flags_address is set, but no flags: name them, with what they do"
                              : "flags are named, but there is no flags_address");
  }
  return mistakes;
}

}  // namespace stock::config

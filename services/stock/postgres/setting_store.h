// The settings of the layers.
#pragma once

#include <vector>

#include "stock/layers/setting.h"
#include "stock/postgres/session.h"

namespace stock::postgres {

class SettingStore final : public layers::SettingStore {
 public:
  // `session` is to the primary, and nobody else's.
  explicit SettingStore(Session& session) : session_(session) {}

  absl::StatusOr<std::vector<layers::Setting>> all() override;
  absl::StatusOr<layers::Setting> change(const layers::SettingChange& change) override;

 private:
  Session& session_;
};

}  // namespace stock::postgres

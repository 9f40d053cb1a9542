// The ledger's database as a layer: the primary, whose readings are true through the moment of
// asking, or a standby, whose readings are true through the newest heartbeat that it shows.
//
// All work is done by the threads of the pool. The pool may go on after the layer is gone, but not
// after what the layer was given.
#pragma once

#include <span>
#include <string_view>

#include "stock/clock/timers.h"
#include "stock/layers/catalogue.h"
#include "stock/layers/layer.h"
#include "stock/layers/walkable.h"
#include "stock/postgres/asker.h"
#include "stock/postgres/pool.h"

namespace stock::postgres {

class DatabaseLayer final : public layers::Layer,
                            public layers::Walkable,
                            public layers::Catalogue {
 public:
  DatabaseLayer(Role role, Pool& pool, clock::Timers& timers, Knowledge knowledge)
      : asker_(role, knowledge), pool_(pool), timers_(timers) {}

  [[nodiscard]] std::string_view name() const override {
    return asker_.role() == Role::kPrimary ? "primary" : "replica";
  }

  // One statement for all keys.
  void read(std::span<const domain::Key> keys, std::span<layers::Answer> answers,
            const layers::ReadContext& context, layers::Done done) override;

  // One statement, a range of the index.
  void walk(layers::WalkQuery query, const layers::ReadContext& context,
            layers::PageDone<layers::LevelPage> done) override;

  void levels(layers::LevelQuery query, const layers::ReadContext& context,
              layers::PageDone<layers::LevelPage> done) override;
  void movements(layers::MovementQuery query, const layers::ReadContext& context,
                 layers::PageDone<layers::MovementPage> done) override;
  void locations(layers::LocationQuery query, const layers::ReadContext& context,
                 layers::PageDone<layers::LocationPage> done) override;
  void reservations(layers::ReservationQuery query, const layers::ReadContext& context,
                    layers::PageDone<layers::ReservationPage> done) override;
  void past(layers::PastQuery query, const layers::ReadContext& context,
            layers::PageDone<layers::PastPage> done) override;

 private:
  // Of kPages; see database_pages.cc.
  template <typename Page, typename Query>
  void page(Query query, const layers::ReadContext& context, layers::PageDone<Page> done);

  const Asker asker_;
  Pool& pool_;
  clock::Timers& timers_;
};

}  // namespace stock::postgres

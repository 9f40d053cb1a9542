// ListStockLevels, ListStockMovements, GetLocation, ListLocations: what only the databases can
// answer.
#include <fmt/format.h>

#include <utility>

#include "absl/strings/numbers.h"
#include "stock/rpc/answer.h"
#include "stock/rpc/convert.h"
#include "stock/rpc/freshness.h"
#include "stock/rpc/page_token.h"
#include "stock/rpc/stock_handlers.h"

namespace stock::rpc {
namespace {

Failure bad_token() {
  return bad_field("page_token",
                   "is not one that this listing gave out; begin again without a page token");
}

// The page, or the call is finished with the error.
template <typename Page, typename Call>
const Page* page_or_finish(const Rooms& rooms, const layers::Listing<Page>& listing, Call& call) {
  if (listing.page.ok()) return &*listing.page;
  call.finish(unanswered(call.context(), listing.page.status(), listing.age, listing.trail,
                         rooms.instance));
  return nullptr;
}

template <typename Page>
void fill(const Rooms& rooms, const layers::Listing<Page>& listing, v1::Provenance& out) {
  fill_provenance(listing.age.value_or(domain::Age{}), listing.bound_missed, listing.trail,
                  rooms.instance, out);
}

// ---- ListStockLevels

using LevelsCall = UnaryCall<v1::ListStockLevelsRequest, v1::ListStockLevelsResponse>;

std::string levels_query(const v1::ListStockLevelsRequest& request) {
  return fmt::format("levels {} {} {}", request.location().size(), request.location(),
                     request.sku_prefix());
}

std::optional<Failure> parse(const v1::ListStockLevelsRequest& request, layers::LevelQuery& query) {
  using domain::kMaxNameBytes;
  for (const auto& [field, value] : {std::pair("location", &request.location()),
                                     std::pair("sku_prefix", &request.sku_prefix())}) {
    if (const auto status = domain::validate_text(field, *value, kMaxNameBytes); !status.ok()) {
      return bad_field(field, std::string(status.message()));
    }
  }
  query.location = request.location();
  query.sku_prefix = request.sku_prefix();
  if (!request.page_token().empty()) {
    const auto position = read_page_token(levels_query(request), request.page_token());
    if (!position || position->size() != 2) return bad_token();
    query.after = {.sku = (*position)[1], .location = (*position)[0]};
  }
  return page_size_from(request.page_size(), query.limit);
}

void answer(const Rooms& rooms, LevelsCall& call,
            const layers::Listing<layers::LevelPage>& listing) {
  const layers::LevelPage* page = page_or_finish(rooms, listing, call);
  if (page == nullptr) return;
  auto& response = call.response();
  for (std::size_t i = 0; i < page->keys.size(); ++i) {
    domain::Reading reading = page->readings[i];
    reading.layer = listing.layer;
    // That of the page, whose statement read them all.
    to_proto(page->keys[i], reading, listing.age.value_or(domain::Age{}).age,
             *response.add_levels());
  }
  if (page->more && !page->keys.empty()) {
    response.set_next_page_token(make_page_token(
        levels_query(call.request()), {page->keys.back().location, page->keys.back().sku}));
  }
  fill(rooms, listing, *response.mutable_provenance());
  call.finish(grpc::Status::OK);
}

void list_stock_levels(const Rooms& rooms, LevelsCall& call) {
  layers::LevelQuery query;
  Freshness freshness;
  auto wrong = parse(call.request(), query);
  if (!wrong)
    wrong =
        from_proto(call.request().consistency(), rooms.max_staleness, Takes::kPresent, freshness);
  if (wrong) return call.finish(to_status(*wrong));
  when_settled(rooms, call, std::move(freshness),
               [&rooms, &call, query = std::move(query)](const domain::Requirement& requirement) {
                 rooms.catalogue.levels(
                     query, requirement, call.read_context(),
                     [&rooms, &call](const layers::Listing<layers::LevelPage>& listing) {
                       answer(rooms, call, listing);
                     });
               });
}

// ---- ListStockMovements

using MovementsCall = UnaryCall<v1::ListStockMovementsRequest, v1::ListStockMovementsResponse>;

std::string movements_query(const v1::ListStockMovementsRequest& request) {
  return fmt::format("movements {} {} {}", request.key().sku().size(), request.key().sku(),
                     request.key().location());
}

std::optional<Failure> parse(const v1::ListStockMovementsRequest& request,
                             layers::MovementQuery& query) {
  if (auto wrong = from_proto(request.key(), "key", query.key)) return wrong;
  if (!request.page_token().empty()) {
    const auto position = read_page_token(movements_query(request), request.page_token());
    if (!position || position->size() != 1 || !absl::SimpleAtoi(position->front(), &query.before) ||
        query.before < 1) {
      return bad_token();
    }
  }
  return page_size_from(request.page_size(), query.limit);
}

void answer(const Rooms& rooms, MovementsCall& call,
            const layers::Listing<layers::MovementPage>& listing) {
  const layers::MovementPage* page = page_or_finish(rooms, listing, call);
  if (page == nullptr) return;
  auto& response = call.response();
  for (const domain::Movement& movement : page->movements) {
    to_proto(movement, *response.add_movements());
  }
  if (page->more && !page->movements.empty()) {
    response.set_next_page_token(make_page_token(movements_query(call.request()),
                                                 {std::to_string(page->movements.back().version)}));
  }
  fill(rooms, listing, *response.mutable_provenance());
  call.finish(grpc::Status::OK);
}

void list_stock_movements(const Rooms& rooms, MovementsCall& call) {
  layers::MovementQuery query;
  Freshness freshness;
  auto wrong = parse(call.request(), query);
  if (!wrong)
    wrong =
        from_proto(call.request().consistency(), rooms.max_staleness, Takes::kPresent, freshness);
  if (wrong) return call.finish(to_status(*wrong));
  when_settled(rooms, call, std::move(freshness),
               [&rooms, &call, query = std::move(query)](const domain::Requirement& requirement) {
                 rooms.catalogue.movements(
                     query, requirement, call.read_context(),
                     [&rooms, &call](const layers::Listing<layers::MovementPage>& listing) {
                       answer(rooms, call, listing);
                     });
               });
}

// ---- Locations: few, rarely changed, and read where they are written

using LocationsCall = UnaryCall<v1::ListLocationsRequest, v1::ListLocationsResponse>;
using LocationCall = UnaryCall<v1::GetLocationRequest, v1::GetLocationResponse>;

constexpr const char* kLocationsQuery = "locations";

void list_locations(const Rooms& rooms, LocationsCall& call) {
  layers::LocationQuery query;
  auto wrong = page_size_from(call.request().page_size(), query.limit);
  if (!wrong && !call.request().page_token().empty()) {
    const auto position = read_page_token(kLocationsQuery, call.request().page_token());
    if (position && position->size() == 1) {
      query.after = position->front();
    } else {
      wrong = bad_token();
    }
  }
  if (wrong) return call.finish(to_status(*wrong));
  rooms.catalogue.locations(std::move(query), {.fully_consistent = true}, call.read_context(),
                            [&rooms, &call](const layers::Listing<layers::LocationPage>& listing) {
                              const layers::LocationPage* page =
                                  page_or_finish(rooms, listing, call);
                              if (page == nullptr) return;
                              for (const domain::Location& location : page->locations) {
                                to_proto(location, *call.response().add_locations());
                              }
                              if (page->more && !page->locations.empty()) {
                                call.response().set_next_page_token(
                                    make_page_token(kLocationsQuery, {page->locations.back().id}));
                              }
                              call.finish(grpc::Status::OK);
                            });
}

void get_location(const Rooms& rooms, LocationCall& call) {
  const std::string& id = call.request().id();
  if (const auto status = domain::validate_name("id", id); !status.ok()) {
    return call.finish(to_status(bad_field("id", std::string(status.message()))));
  }
  rooms.catalogue.locations(
      {.id = id, .after = "", .limit = 1}, {.fully_consistent = true}, call.read_context(),
      [&rooms, &call](const layers::Listing<layers::LocationPage>& listing) {
        const layers::LocationPage* page = page_or_finish(rooms, listing, call);
        if (page == nullptr) return;
        if (page->locations.empty()) {
          return call.finish(
              to_status({.code = grpc::StatusCode::NOT_FOUND,
                         .reason = "LOCATION_NOT_FOUND",
                         .message = fmt::format("there is no location {}", call.request().id()),
                         .violations = {},
                         .metadata = {},
                         .retry_after = {}}));
        }
        to_proto(page->locations.front(), *call.response().mutable_location());
        call.finish(grpc::Status::OK);
      });
}

}  // namespace

void StockHandlers::attach_lists(Server& server) {
  STOCK_RPC(server, ListStockLevels, list_stock_levels);
  STOCK_RPC(server, ListStockMovements, list_stock_movements);
  STOCK_RPC(server, ListLocations, list_locations);
  STOCK_RPC(server, GetLocation, get_location);
}

}  // namespace stock::rpc

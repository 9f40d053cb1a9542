// What a batch of requests does, in order of arrival. Pure.
#pragma once

#include <span>

#include "stock/ledger/decide_reservation.h"
#include "stock/ledger/store.h"
#include "stock/ledger/write.h"

namespace stock::ledger {

// First gives back what holds that have ended still hold of the levels. Then decides `requests` one
// after the other on the books, which hold every level that they concern. A request that is
// remembered, or applied earlier in the same batch, is answered as it was then; one that was
// refused earlier in the batch is decided again. The books end as the plan leaves the ledger. The
// plan points to the requests.
[[nodiscard]] Plan make_plan(std::span<const Request* const> requests, Books& books);

}  // namespace stock::ledger

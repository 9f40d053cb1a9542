#pragma once

// The standard `process_*` metrics of this process, read from /proc at each scrape. Separate
// because prometheus-cpp has none.

#include "stock/telemetry/metrics.h"

namespace stock::telemetry {

// Where a number cannot be read (no /proc), it is left out of the scrape.
void add_process_metrics(Metrics& metrics);

}  // namespace stock::telemetry

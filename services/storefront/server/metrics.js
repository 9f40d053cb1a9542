// What the storefront tells Prometheus. Labels are routes, codes and methods that are known beforehand, never a SKU, a
// visitor or a path from outside.

import prometheus from 'prom-client';

export function makeMetrics() {
  const registry = new prometheus.Registry();
  const registers = [registry];
  prometheus.collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 20 });
  const counter = (name, help, labelNames = []) => new prometheus.Counter({ name, help, labelNames, registers });
  const gauge = (name, help, collect) => new prometheus.Gauge({ name, help, registers, collect });
  const histogram = (name, help, labelNames, buckets) => new prometheus.Histogram({ name, help, labelNames, buckets, registers });

  const metrics = {
    registry,
    gauge,
    requests: counter('storefront_http_requests_total', 'Requests answered.', ['route', 'code']),
    requestSeconds: histogram('storefront_http_request_seconds', 'Time to the answer; of events to their first byte.', ['route'],
      [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]),
    stockCalls: counter('storefront_stock_calls_total', 'Calls of the stock service.', ['grpc_method', 'grpc_code']),
    stockSeconds: histogram('storefront_stock_call_seconds', 'Time of calls of the stock service, retries included.', ['grpc_method'],
      [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]),
    watch: counter('storefront_watch_events_total', 'The watch of stock levels: connected, lost, or reset.', ['event']),
    conflated: counter('storefront_events_conflated_total', 'Changes that slow browsers were spared, because a newer one followed.'),
    testimonies: counter('storefront_testimonies_total', 'What browsers believe, by what became of it.', ['witness', 'outcome']),
    orders: counter('storefront_orders_total', 'Checkouts, by what became of them.', ['outcome']),
  };
  for (const event of ['connected', 'lost', 'reset']) metrics.watch.inc({ event }, 0);
  for (const witness of ['storefront', 'offline']) {
    for (const outcome of ['forwarded', 'refused', 'failed']) metrics.testimonies.inc({ witness, outcome }, 0);
  }
  for (const outcome of ['held', 'placed', 'left', 'short']) metrics.orders.inc({ outcome }, 0);
  return metrics;
}

// The storefront's backend: wiring and signals.

import { createServer } from 'node:http';
import { once } from 'node:events';

import { DatabaseClock } from '../clock.js';
import { Api } from './api.js';
import { DIST, help, readConfig } from './config.js';
import { Fanout } from './fanout.js';
import { Files } from './files.js';
import { Follower } from './follower.js';
import { setHeaders, whoIs } from './http.js';
import { Limiter } from './limiter.js';
import { makeMetrics } from './metrics.js';
import { Orders } from './orders.js';
import { readProducts } from './products.js';
import { Shelf } from './shelf.js';
import { Stock } from './stock.js';
import { TestimonyDesk } from './testimony.js';
import { Views } from './views.js';

const DRAIN_MS = 10_000;
const LIMITS = { maxHeaderSize: 8192, headersTimeout: 10_000, requestTimeout: 20_000, keepAliveTimeout: 10_000 };

const log = (level, message, more = {}) =>
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), level, message, ...more })}\n`);

async function main() {
  if (process.argv.length > 2) {
    process.stdout.write(`Usage: node server/main.js, with these in the environment:\n\n${help()}\n`);
    return;
  }
  const config = readConfig(process.env);
  const products = readProducts(config.products);
  const files = new Files(DIST);
  const metrics = makeMetrics();
  const clock = new DatabaseClock();
  const stock = new Stock(config, clock, (method, code, seconds) => {
    metrics.stockCalls.inc({ grpc_method: method, grpc_code: code });
    metrics.stockSeconds.observe({ grpc_method: method }, seconds);
  });

  let connected = false;
  const shelf = new Shelf();
  const follower = new Follower(stock, shelf, { location: config.location, sold: (sku) => products.has(sku) }, (event, why) => {
    connected = event !== 'lost';
    if (event === 'reset') clock.forget();
    metrics.watch.inc({ event });
    log(event === 'lost' ? 'warn' : 'info', `the watch of stock levels: ${event}`, { why });
  });
  // Where the time is not known any answer tells it.
  let asking = null;
  shelf.on('pulse', () => {
    if (shelf.trueThrough === null || clock.hasRead(shelf.trueThrough)) return;
    asking ??= stock.call('ListStockLevels', { location: config.location, page_size: 1, consistency: { minimize_latency: true } })
      .catch(() => {})
      .finally(() => { asking = null; });
  });
  const fanouts = new Map();
  const views = new Views(stock, clock, shelf, config.location, config.cohorts, (cohort) => fanouts.get(cohort)?.size > 0);
  const api = new Api({
    config, stock, clock, products, shelf, fanouts, metrics, log,
    orders: new Orders(stock, products, config),
    desk: new TestimonyDesk(stock, products, config.location,
      (witness, outcome, n) => metrics.testimonies.inc({ witness, outcome }, n)),
    limiter: new Limiter(config.callsPerSecond, 2 * config.callsPerSecond),
  });
  for (const cohort of config.cohorts.length ? config.cohorts : ['']) {
    const view = views.of(cohort);
    fanouts.set(cohort, new Fanout(view, {
      level: (level) => api.describe(view, level),
      pulse: () => ({ trueThrough: shelf.trueThrough }),
    }, (n) => metrics.conflated.inc(n)));
  }
  metrics.gauge('storefront_event_streams', 'Browsers that are told of changes.', function collect() {
    this.set([...fanouts.values()].reduce((sum, { size }) => sum + size, 0));
  });
  metrics.gauge('storefront_watch_up', 'Whether the watch of stock levels is connected.', function collect() {
    this.set(connected ? 1 : 0);
  });
  metrics.gauge('storefront_watch_age_seconds', 'Age of what is known of all levels; -1 before anything is.', function collect() {
    this.set((clock.age(shelf.trueThrough) ?? -1000) / 1000);
  });

  let draining = false;
  const shop = createServer(LIMITS, (request, response) => {
    setHeaders(response);
    if (draining) response.setHeader('connection', 'close');
    const url = new URL(`http://shop${request.url.startsWith('/') ? request.url : '/'}`);
    if (url.pathname.startsWith('/api/')) return void api.handle(request, response, url);
    whoIs(request, response, url, config.cohorts, url.pathname === '/');
    return files.serve(request, response, url.pathname);
  });
  const admin = createServer(LIMITS, async (request, response) => {
    const ready = !draining && shelf.size > 0 && connected;
    const answers = {
      '/healthz': [200, 'ok\n'],
      '/readyz': ready ? [200, 'ok\n'] : [503, draining ? 'draining\n' : 'FAIL stock: its levels are not being followed\n'],
      '/metrics': [200, await metrics.registry.metrics(), metrics.registry.contentType],
    };
    const [status, body, type = 'text/plain'] = answers[request.url] ?? [404, 'nothing here\n'];
    response.writeHead(status, { 'content-type': type }).end(body);
  });

  const following = follower.follow();
  for (const [server, { host, port }] of [[admin, config.admin], [shop, config.listen]]) {
    server.listen(port, host);
    await once(server, 'listening');
  }
  log('info', 'open', { shop: `${config.listen.host}:${config.listen.port}`, stock: config.target, products: products.size });

  const [signal] = await Promise.race(['SIGTERM', 'SIGINT'].map((name) => once(process, name)));
  log('info', 'closing', { signal });
  draining = true;
  views.stop();
  follower.stop();
  for (const fanout of fanouts.values()) fanout.stop();
  const closed = Promise.all([shop, admin].map((server) => new Promise((resolve) => server.close(resolve))));
  for (const server of [shop, admin]) server.closeIdleConnections();
  const kill = setTimeout(() => [shop, admin].forEach((server) => server.closeAllConnections()), DRAIN_MS);
  await Promise.all([closed, following]);
  clearTimeout(kill);
  stock.close();
}

main().catch((error) => {
  process.stderr.write(`storefront: ${error.message}\n`);
  process.exitCode = 1;
});

// The JSON API of the shop, a table of routes. A handler gets { request, response, who, params } and returns what is sent
// as JSON, or null when it has answered itself.

import { performance } from 'node:perf_hooks';

import { BadRequest } from './checks.js';
import { addressOf, isForeign, readJson, sendJson, whoIs } from './http.js';
import { levelOf, provenanceOf } from './levels.js';
import { Refusal } from './orders.js';

const BATCH = 1000;

// HTTP status and words for shoppers, by the reason that the stock service gives.
const REASONS = {
  RESERVATION_EXPIRED: [410, 'The time to check out is over, and the goods are back on the shelf.'],
  RESERVATION_STATE: [409, 'This checkout has been closed already.'],
  RESERVATION_NOT_FOUND: [404, 'There is no such checkout of yours.'],
  RESERVATION_EXISTS: [409, 'This checkout was begun with other goods.'],
  REQUEST_ID_REUSED: [409, 'This was sent before with other content.'],
  COMPARE_FAILED: [409, 'Somebody else changed this at the same moment.'],
  INVALID_ARGUMENT: [400, 'The stock service could not make sense of this.'],
  DEADLINE_EXCEEDED: [504, 'The stock service did not answer in time. It is safe to try again.'],
  UNIMPLEMENTED: [501, 'The stock service cannot do this yet.'],
};
const UNKNOWN = [503, 'The stock service cannot be reached just now. It is safe to try again.'];

export class Api {
  #routes;
  #location = null; // its name, once it is known
  #streams = new Map(); // how many are open, by visitor and by address

  // `parts`: { config, stock, clock, products, shelf, fanouts, orders, desk, limiter, metrics, log }.
  constructor(parts) {
    Object.assign(this, parts);
    this.#routes = [
      ['GET', /^\/api\/products$/, 'products', (call) => this.#products(call)],
      ['GET', /^\/api\/products\/([^/]+)$/, 'product', (call) => this.#product(call)],
      ['GET', /^\/api\/events$/, 'events', (call) => this.#events(call)],
      ['POST', /^\/api\/cart$/, 'cart', ({ who, body }) => this.orders.check(body, who.cohort)],
      [
        'POST',
        /^\/api\/reservations$/,
        'reserve',
        (call) => this.#counted('held', this.orders.reserve(call.who.visitor, call.who.cohort, call.body)),
      ],
      [
        'GET',
        /^\/api\/reservations\/([0-9a-f-]{36})$/,
        'reservation',
        ({ who, params: [id] }) => this.orders.get(who.visitor, id),
      ],
      [
        'PUT',
        /^\/api\/reservations\/([0-9a-f-]{36})$/,
        'update',
        ({ who, params: [id], body }) => this.orders.update(who.visitor, who.cohort, id, body),
      ],
      [
        'DELETE',
        /^\/api\/reservations\/([0-9a-f-]{36})$/,
        'release',
        ({ who, params: [id], body }) => this.#counted('left', this.orders.release(who.visitor, id, body)),
      ],
      [
        'POST',
        /^\/api\/reservations\/([0-9a-f-]{36})\/commit$/,
        'commit',
        ({ who, params: [id], body }) => this.#counted('placed', this.orders.commit(who.visitor, id, body)),
      ],
      ['POST', /^\/api\/testimony$/, 'testimony', ({ body }) => this.#testimony(body)],
    ];
  }

  async handle(request, response, url) {
    const began = performance.now();
    const here = this.#routes.filter(([, pattern]) => pattern.test(url.pathname));
    const [, pattern, route, handler] = here.find(([method]) => method === request.method) ?? [];
    let answer;
    try {
      if (here.length === 0) throw new Refusal(404, 'NOT_FOUND', 'There is nothing here.');
      if (!handler) throw new Refusal(405, 'METHOD_NOT_ALLOWED', 'Not this way.');
      const who = this.#admit(request, response, url);
      const body = request.method === 'GET' ? undefined : await readJson(request);
      const params = pattern.exec(url.pathname).slice(1);
      answer = [200, await handler({ request, response, url, who, params, body })];
    } catch (error) {
      answer = this.#failure(error, route);
    }
    const [status, value, headers] = answer;
    if (value !== null) await sendJson(request, response, status, value, { ...this.#time(), ...headers });
    this.metrics.requests.inc({ route: route ?? 'none', code: status });
    this.metrics.requestSeconds.observe({ route: route ?? 'none' }, (performance.now() - began) / 1000);
  }

  // What the page is told of a level: how old that is, it tells by the database's clock itself.
  describe(shelf, level) {
    return { ...level, trueThrough: shelf.trueThroughOf(level) };
  }

  #time() {
    const read = this.clock.read();
    return read === null ? {} : { 'database-time': Math.ceil(read) };
  }

  #admit(request, response, url) {
    const reads = request.method === 'GET';
    const who = whoIs(request, response, url, this.config.cohorts, url.pathname === '/api/products');
    if (!reads && isForeign(request)) throw new Refusal(403, 'FOREIGN_ORIGIN', 'This was not sent by the shop.');
    if (!reads && !who.visitor)
      throw new Refusal(403, 'NO_COOKIE', 'The shop needs its cookie to tell whose checkout this is.');
    const address = addressOf(request, this.config.trustedProxies);
    if (!this.limiter.take(`visitor ${who.visitor ?? address}`) || !this.limiter.take(`address ${address}`, 0.05)) {
      throw new Refusal(429, 'TOO_MANY_CALLS', 'That was a little too fast. Try again in a second.');
    }
    return { ...who, address };
  }

  async #products({ who: { cohort } }) {
    if (this.shelf.size === 0) throw new Refusal(503, 'NOT_OPEN', 'The shop is not open yet: nothing is known of its shelves.');
    const products = [...this.products.values()].filter(({ sku }) => this.shelf.get(sku));
    const levels = new Map();
    let provenance = null;
    for (let i = 0; i < products.length; i += BATCH) {
      const asked = this.clock.read();
      const answer = await this.#read(
        'BatchGetStockLevels',
        {
          keys: products.slice(i, i + BATCH).map(({ sku }) => ({ sku, location: this.config.location })),
        },
        cohort,
      );
      answer.levels.forEach((message) => levels.set(message.key.sku, levelOf(message, asked)));
      provenance = provenanceOf(answer.provenance);
    }
    return {
      products: products.map((product) => ({ ...product, level: levels.get(product.sku) })),
      provenance,
      shop: {
        location: await this.#locationName(),
        cohort,
        cohorts: this.config.cohorts,
        holdSeconds: this.config.holdSeconds,
        testimonyInterval: this.config.testimonyInterval,
      },
    };
  }

  async #product({ who: { cohort }, params: [encoded] }) {
    let sku;
    try {
      sku = decodeURIComponent(encoded);
    } catch {
      throw new BadRequest('sku: not encoded as it should be');
    }
    if (!this.products.has(sku)) throw new Refusal(404, 'NOT_SOLD', 'This shop does not sell that.');
    const asked = this.clock.read();
    const { level, provenance } = await this.#read('GetStockLevel', { key: { sku, location: this.config.location } }, cohort);
    return { level: levelOf(level, asked), provenance: provenanceOf(provenance) };
  }

  async #locationName() {
    this.#location ??= await this.stock
      .call('GetLocation', { id: this.config.location })
      .then(({ location }) => location.display_name || location.id);
    return this.#location;
  }

  // An old answer with its true age is better than none. Without flags there are none to ask for.
  async #read(method, request, cohort) {
    const consistency = { minimize_latency: true, allow_stale: true };
    try {
      return await this.stock.call(method, { ...request, consistency, cohort });
    } catch (error) {
      if (error.reason !== 'FLAGS_NOT_CONFIGURED') throw error;
      return this.stock.call(method, { ...request, consistency });
    }
  }

  #events({ request, response, url, who: { visitor, address, cohort } }) {
    const open = [...this.fanouts.values()].reduce((sum, { size }) => sum + size, 0);
    if (open >= this.config.eventStreams) throw new Refusal(503, 'TOO_MANY_STREAMS', 'Too many look at the shop just now.');
    const [ofVisitor, ofAddress] = [`visitor ${visitor ?? address}`, `address ${address}`];
    if (this.#openOf(ofVisitor) >= this.config.streamsPerVisitor || this.#openOf(ofAddress) >= this.config.streamsPerAddress) {
      throw new Refusal(429, 'TOO_MANY_STREAMS', 'Too many pages of yours look at the shop.');
    }
    for (const key of [ofVisitor, ofAddress]) this.#streams.set(key, this.#openOf(key) + 1);
    response.on('close', () => {
      for (const key of [ofVisitor, ofAddress]) {
        if (this.#openOf(key) > 1) this.#streams.set(key, this.#openOf(key) - 1);
        else this.#streams.delete(key);
      }
    });
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
    this.fanouts.get(cohort).add(response, request.headers['last-event-id'] ?? url.searchParams.get('after') ?? '');
    return null;
  }

  #openOf(key) {
    return this.#streams.get(key) ?? 0;
  }

  async #testimony(body) {
    const judged = await this.desk.submit(body);
    if (!judged) throw new Refusal(429, 'TOO_MANY_CALLS', 'Too many testify just now.');
    return { judged };
  }

  async #counted(outcome, work) {
    try {
      const result = await work;
      this.metrics.orders.inc({ outcome });
      return result;
    } catch (error) {
      if (error.code === 'INSUFFICIENT_STOCK') this.metrics.orders.inc({ outcome: 'short' });
      throw error;
    }
  }

  #failure(error, route) {
    if (error instanceof BadRequest) return [400, { code: 'BAD_REQUEST', message: error.message }];
    if (error instanceof Refusal) {
      const headers = error.status === 429 || error.status === 503 ? { 'retry-after': 1 } : {};
      return [error.status, { code: error.code, message: error.message, lines: error.lines }, headers];
    }
    if (!error.method) {
      // none of the stock service: ours
      this.log('error', 'a request failed', { route, error: error.stack });
      return [500, { code: 'INTERNAL', message: 'Something went wrong here.' }];
    }
    const [status, message] = REASONS[error.reason] ?? REASONS[error.code] ?? UNKNOWN;
    if (status >= 500)
      this.log('warn', 'the stock service failed', {
        route,
        method: error.method,
        code: error.code,
        reason: error.reason,
        error: error.message,
      });
    return [status, { code: error.reason, message }, status === 503 ? { 'retry-after': 1 } : {}];
  }
}

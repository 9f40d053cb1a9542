// From a cart to an order: units are held while somebody checks out, sold when the order is placed, or given back.
//
// A hold belongs to the visitor who made it: its actor names him by a hash of his cookie, and nobody else may change it.
// Request ids come from the page, so that whatever is sent twice happens once. Each answer says what is held now, and what is
// ordered is what the page has seen: a change may have been made without its answer.

import { createHash } from 'node:crypto';

import { BadRequest, integer, list, record, shortText, uuid } from './checks.js';
import { levelOf, reservationOf } from './levels.js';

const MAX_LINES = 100;
const MAX_QUANTITY = 999;

// An answer that is no success: `code` for programs, the message for shoppers, `lines` for whom it is about.
export class Refusal extends Error {
  constructor(status, code, message, lines) {
    super(message);
    Object.assign(this, { status, code, lines });
  }
}

export class Orders {
  constructor(stock, products, { location, holdSeconds }) {
    Object.assign(this, { stock, products, location, holdSeconds });
  }

  // Whether these lines could be had now: { available, lines: [{ sku, quantity, available, shortfall }] }.
  async check(body, cohort) {
    const lines = this.#lines(body);
    await this.#refuseByFlags(lines, cohort);
    const { available, lines: found } = await this.#availability(lines);
    return { available, lines: found };
  }

  async reserve(visitor, cohort, body) {
    const id = uuid(record(body).requestId, 'requestId');
    const lines = this.#lines(body);
    await this.#refuseByFlags(lines, cohort);
    return this.#held(lines, this.stock.call('CreateReservation', {
      context: this.#context(visitor, id, 'checkout', id),
      reservation_id: id,
      lines: this.#units(lines),
      ttl: { seconds: this.holdSeconds, nanos: 0 },
    }));
  }

  async update(visitor, cohort, id, body) {
    const requestId = uuid(record(body).requestId, 'requestId');
    const lines = this.#lines(body);
    await this.#refuseByFlags(lines, cohort);
    await this.#own(visitor, id);
    return this.#held(lines, this.stock.call('UpdateReservation', {
      context: this.#context(visitor, requestId, 'checkout changed', id),
      reservation_id: id,
      lines: this.#units(lines),
      ttl: { seconds: this.holdSeconds, nanos: 0 },
    }));
  }

  async get(visitor, id) {
    return told(await this.#own(visitor, id));
  }

  async commit(visitor, id, body) {
    const requestId = uuid(record(body).requestId, 'requestId');
    const seen = shortText(body.etag, 'etag');
    const { state, etag } = await this.#own(visitor, id);
    if (state === 'RESERVATION_STATE_HELD' && etag !== seen) {
      throw new Refusal(409, 'RESERVATION_CHANGED', 'What is held for you is not what your page shows. Look at it again before you order.');
    }
    const { reservation } = await this.stock.call('CommitReservation', {
      context: this.#context(visitor, requestId, 'order', id), reservation_id: id,
      etag: isOver(state) ? '' : seen, // of what is over, the ledger says so
    });
    return told(reservation);
  }

  // Of a hold only: what was sold is not taken back here. A hold that has ended is given back already.
  async release(visitor, id, body) {
    const requestId = uuid(record(body).requestId, 'requestId');
    const { state, etag } = await this.#own(visitor, id);
    if (state === 'RESERVATION_STATE_COMMITTED' || state === 'RESERVATION_STATE_FULFILLED') {
      throw new Refusal(409, 'RESERVATION_STATE', 'This order has been placed: it cannot be taken back here.');
    }
    const { reservation } = await this.stock.call('ReleaseReservation', {
      context: this.#context(visitor, requestId, 'checkout left', id), reservation_id: id, etag,
    });
    return told(reservation);
  }

  #lines(body) {
    const quantities = new Map();
    for (const line of list(record(body).lines, 'lines', 1, MAX_LINES)) {
      const { sku, quantity } = record(line);
      if (!this.products.has(sku)) throw new BadRequest('sku: not sold here');
      quantities.set(sku, (quantities.get(sku) ?? 0) + integer(quantity, 'quantity', 1, MAX_QUANTITY));
    }
    return [...quantities].map(([sku, quantity]) => ({ sku, quantity }));
  }

  #units(lines) {
    return lines.map(({ sku, quantity }) => ({ key: { sku, location: this.location }, quantity }));
  }

  #context(visitor, requestId, reason, id) {
    return { request_id: requestId, reason, reference: `order/${orderNumber(id)}`, actor: actorOf(visitor) };
  }

  async #own(visitor, id) {
    const { reservation } = await this.stock.call('GetReservation', { id });
    if (reservation.actor !== actorOf(visitor)) throw new Refusal(404, 'RESERVATION_NOT_FOUND', 'There is no such checkout of yours.');
    return reservation;
  }

  async #held(lines, call) {
    try {
      return told((await call).reservation);
    } catch (error) {
      if (error.reason !== 'INSUFFICIENT_STOCK') throw error;
      const { lines: found } = await this.#availability(lines);
      throw new Refusal(409, error.reason, 'Somebody was quicker: not all of this is left.', found.filter(({ shortfall }) => shortfall > 0));
    }
  }

  async #availability(lines) {
    const { available, lines: found } = await this.stock.call('CheckAvailability', {
      lines: lines.map(({ sku, quantity }) => ({ sku, quantity, location: this.location })),
      consistency: { fully_consistent: true },
    });
    return {
      available,
      lines: found.map(({ line: { sku, quantity }, available: there, shortfall }) =>
        ({ sku, quantity, available: Math.max(0, there), shortfall })),
    };
  }

  // The counts decide in the ledger; what a flag forbids is decided here.
  async #refuseByFlags(lines, cohort) {
    if (!cohort) return;
    const { levels } = await this.stock.call('BatchGetStockLevels', {
      keys: this.#units(lines).map(({ key }) => key), cohort, consistency: { minimize_latency: true, allow_stale: true },
    }).catch((error) => {
      if (error.reason === 'FLAGS_NOT_CONFIGURED') return { levels: [] };
      throw error;
    });
    const refused = levels.flatMap((message, i) => {
      const { offer } = levelOf(message);
      if (!offer) return [];
      const limit = offer.hidden || offer.saleEnded ? 0
        : Math.min(...offer.flags.filter(({ effect, applies }) => effect === 'cap' && applies).map(({ cap }) => cap));
      const { sku, quantity } = lines[i];
      return quantity > limit ? [{ sku, quantity, available: limit, shortfall: quantity - limit }] : [];
    });
    if (refused.length === 0) return;
    const ended = refused.some(({ available }) => available === 0);
    throw new Refusal(409, ended ? 'NOT_FOR_SALE' : 'LIMITED',
      ended ? 'Some of this is no longer for sale.' : 'Only so many of this are sold at a time.', refused);
  }
}

const orderNumber = (id) => id.slice(0, 8).toUpperCase();
const told = (reservation) => ({ reservation: reservationOf(reservation), order: orderNumber(reservation.id) });
const isOver = (state) => state === 'RESERVATION_STATE_EXPIRED' || state === 'RESERVATION_STATE_RELEASED';

const actorOf = (visitor) => `storefront visitor ${createHash('sha256').update(visitor).digest('hex').slice(0, 16)}`;


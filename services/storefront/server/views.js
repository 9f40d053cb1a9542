// A shelf for each cohort: the levels, and what the flags make of them. Whatever moves is asked for once per cohort, and
// everything again from time to time, since a flag may be switched while nothing moves.
//
// Without flags (FLAGS_NOT_CONFIGURED, or a service that knows of none) the levels are as they are. Cohorts are few and
// come from the configuration.

import { levelOf } from './levels.js';
import { Shelf } from './shelf.js';

const BATCH = 500;
const ALL_AGAIN_MS = 2000;
const WITHOUT_FLAGS_MS = 30_000; // until it is tried again

export class Views {
  #views = new Map();
  #timer;

  // `wanted(cohort)`: whether somebody looks.
  constructor(stock, clock, shelf, location, cohorts, wanted) {
    Object.assign(this, { stock, clock, shelf, location, wanted });
    for (const cohort of cohorts) this.#views.set(cohort, { shelf: new Shelf(), dirty: new Set(), asking: false, asOf: 0, notBefore: 0 });
    shelf.on('change', (level) => {
      for (const cohort of cohorts) this.#changed(cohort, level);
    });
    shelf.on('refill', () => {
      for (const view of this.#views.values()) view.shelf.refill(shelf.changedAfter(0).map((level) => shown(view, level)));
    });
    shelf.on('pulse', () => {
      for (const view of this.#views.values()) view.shelf.confirm(shelf.trueThrough);
    });
    this.#timer = setInterval(() => this.#allAgain(), 250);
    this.#timer.unref();
  }

  of(cohort) {
    return this.#views.get(cohort)?.shelf ?? this.shelf;
  }

  stop() {
    clearInterval(this.#timer);
  }

  #changed(cohort, level) {
    const view = this.#views.get(cohort);
    view.shelf.put(shown(view, level));
    view.dirty.add(level.sku);
    void this.#ask(view, cohort);
  }

  #allAgain() {
    for (const [cohort, view] of this.#views) {
      if (!this.wanted(cohort)) continue;
      if (Date.now() >= view.asOf + ALL_AGAIN_MS) {
        view.asOf = Date.now();
        for (const { sku } of this.shelf.changedAfter(0)) view.dirty.add(sku);
      }
      void this.#ask(view, cohort);
    }
  }

  // Only what the flags say is taken: the counts are those of the shelf, since who is asked may still be in a history that is
  // over. What is not answered, or of another version than the shelf's, is asked for again with everything.
  async #ask(view, cohort) {
    if (view.asking || view.dirty.size === 0 || Date.now() < view.notBefore) return;
    view.asking = true;
    const skus = [...view.dirty];
    view.dirty.clear();
    try {
      while (skus.length > 0) {
        const asked = this.clock.read();
        const { levels } = await this.stock.call('BatchGetStockLevels', {
          keys: skus.splice(0, BATCH).map((sku) => ({ sku, location: this.location })), cohort,
        });
        for (const { sku, version, offer } of levels.map((message) => levelOf(message, asked))) {
          const level = this.shelf.get(sku);
          if (level?.version === version) view.shelf.put({ ...level, offer });
        }
      }
    } catch (error) {
      if (error.reason === 'FLAGS_NOT_CONFIGURED') this.#withoutFlags(view);
    } finally {
      view.asking = false;
    }
  }

  #withoutFlags(view) {
    view.notBefore = Date.now() + WITHOUT_FLAGS_MS;
    view.dirty.clear();
    for (const level of this.shelf.changedAfter(0)) view.shelf.put(level);
  }
}

// A count is shown at once, with the last word of the flags; their next one follows.
function shown(view, level) {
  const offer = view.shelf.get(level.sku)?.offer;
  return offer ? { ...level, offer: { ...offer, available: Math.max(0, Math.min(offer.available, level.available)) } } : level;
}

// What browsers believe, forwarded to the service that judges it. The page's words are taken as they are: since when, how
// old, and when it was sent, by its own clock. Only who may testify, about what and how much is decided here.

import { protobufTime } from './levels.js';
import { BadRequest, integer, list, record, shortText } from './checks.js';

const WITNESSES = ['storefront', 'offline'];
const MAX_CLAIMS = 50; // of one report
const MAX_AGE_MS = 400 * 86_400_000;
const AT_ONCE = 8; // reports on their way to the service

export class TestimonyDesk {
  #underWay = 0;

  // `count(witness, outcome, n)` with outcome "forwarded", "refused" or "failed".
  constructor(stock, products, location, count) {
    Object.assign(this, { stock, products, location, count });
  }

  // A body of POST /api/testimony; resolves to the verdicts, in its order.
  async submit(body) {
    const report = record(body);
    const witness = report.witness;
    if (!WITNESSES.includes(witness)) throw new BadRequest(`witness: not one of ${WITNESSES.join(', ')}`);
    const request = {
      sent_at: protobufTime(integer(report.sentAt, 'sentAt')),
      testimonies: list(report.claims, 'claims', 1, MAX_CLAIMS).map((claim) => ({
        witness, instance: shortText(report.instance, 'instance'), ...this.#claim(record(claim)),
      })),
    };
    if (this.#underWay >= AT_ONCE) {
      this.count(witness, 'refused', request.testimonies.length);
      return null;
    }
    this.#underWay++;
    try {
      const { judged } = await this.stock.call('SubmitTestimonies', request);
      this.count(witness, 'forwarded', judged.length);
      return judged.map(({ finding }, i) => ({
        sku: request.testimonies[i].key.sku,
        verdict: finding.verdict.slice('VERDICT_'.length).toLowerCase(),
        words: finding.words,
      }));
    } catch (error) {
      this.count(witness, 'failed', request.testimonies.length);
      throw error;
    } finally {
      this.#underWay--;
    }
  }

  #claim({ sku, exists, available, version, believedSince, trueThrough, age }) {
    if (!this.products.has(sku)) throw new BadRequest('sku: not sold here');
    if (typeof exists !== 'boolean') throw new BadRequest('exists: not true or false');
    return {
      key: { sku, location: this.location },
      ...(exists ? { available: integer(available, 'available', -1e15, 1e15) } : { absent: true }),
      version: integer(version, 'version', 0, 1e15),
      believed_since: protobufTime(integer(believedSince, 'believedSince')),
      true_through: protobufTime(integer(trueThrough, 'trueThrough')),
      age: protobufTime(integer(age, 'age', 0, MAX_AGE_MS)),
    };
  }
}

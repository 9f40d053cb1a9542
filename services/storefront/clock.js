// How old a date of the database's is, by this machine's monotonic clock alone, and never less than it is. In the backend,
// and in the page, for what is on its way for long is old when it comes.
//
// An answer says what the database's clock read when it was made, which was after it was asked for: so the time since the
// asking is the most that can have gone by. Of the last few answers the one that bounds best is taken. What that clock reads
// at most may be told on: whoever asked for it bounds it in the same way.

const KEEP = 16;

export class DatabaseClock {
  #latest = []; // by how much database time is ahead of performance.now(), at most; ms

  constructor(now = () => performance.now()) {
    this.now = now;
  }

  // All in ms: what it read, how wrong that may be, and when the question was sent by now().
  learn(read, uncertainty, sent) {
    this.#latest.push(read + uncertainty - sent);
    if (this.#latest.length > KEEP) this.#latest.shift();
  }

  // The ledger is in another history, and its clock may have been set.
  forget() {
    this.#latest = [];
  }

  // What the database's clock reads now, at most, in ms since 1970; null when it was never heard of.
  read() {
    return this.#latest.length === 0 ? null : Math.min(...this.#latest) + this.now();
  }

  // Whether it has read `then` already, as somebody says. Where that has yet to come it was set, or this machine slept, and what
  // was learnt is void.
  hasRead(then) {
    if (then <= (this.read() ?? -Infinity)) return true;
    this.forget();
    return false;
  }

  // Milliseconds since the instant `then` of the database's, or null when it was never heard of.
  age(then) {
    const read = this.read();
    return read === null || then === null ? null : Math.max(0, read - then);
  }
}

// Server-sent events from a shelf to many browsers, some of them slow.
//
// A change goes out within FLUSH_MS, made into text once for all who have everything before it. Who cannot take it at the
// moment is sent nothing more until he has read what he got, and then the newest level of each SKU that changed since: so
// a reader costs one buffer at most. An event's id is "epoch-change"; a browser that comes back says the last one
// and is told what it missed, or everything when this is another process.
//
// Events: `levels` { initial, levels }, and once a second `pulse`, which says through when all of it is known to be true.
// Those are dates of the database's: an age would be that of the sending, and who knows how long it is on its way.

const FLUSH_MS = 50;
const PULSE_MS = 1000;
const STUCK_MS = 60_000; // without reading anything; it may come back

export class Fanout {
  #clients = new Set();
  #sent = 0; // the shelf's change that the last flush went up to
  #timers;

  // `describe`: { level(level), pulse() }, what browsers are told. `conflated(n)` hears of changes that a slow reader was spared.
  constructor(shelf, describe, conflated = () => {}, now = Date.now) {
    Object.assign(this, { shelf, describe, conflated, now });
    this.#timers = [setInterval(() => this.flush(), FLUSH_MS), setInterval(() => this.pulse(), PULSE_MS)];
    for (const timer of this.#timers) timer.unref();
  }

  get size() {
    return this.#clients.size;
  }

  // `response`: its head is written already.
  add(response, lastEventId = '') {
    const client = { response, change: this.#resumeAt(lastEventId), blockedSince: null };
    this.#clients.add(client);
    response.on('drain', () => {
      client.blockedSince = null;
      this.#catchUp(client);
    });
    response.on('close', () => this.#clients.delete(client));
    response.write('retry: 1000\n\n');
    this.#catchUp(client);
    this.#write(client, this.#pulseText());
  }

  flush() {
    const { change } = this.shelf;
    if (change === this.#sent) return;
    const text = this.#levelsText(this.shelf.changedAfter(this.#sent), false);
    for (const client of this.#clients) {
      if (client.blockedSince !== null) continue;
      if (client.change === this.#sent) this.#write(client, text, change);
      else this.#catchUp(client);
    }
    this.#sent = change;
  }

  // Of what it tells, all has been sent: so it goes behind what waits.
  pulse() {
    this.flush();
    const text = this.#pulseText();
    for (const client of this.#clients) {
      if (client.blockedSince === null) this.#write(client, text);
      else if (this.now() - client.blockedSince > STUCK_MS) client.response.destroy();
    }
  }

  // Ends all streams: browsers come back by themselves, to whoever is there then.
  stop() {
    for (const timer of this.#timers) clearInterval(timer);
    for (const { response } of this.#clients) response.end();
  }

  // 0: from the beginning.
  #resumeAt(lastEventId) {
    const [, epoch, change] = /^([0-9a-f]+)-(\d{1,15})$/.exec(lastEventId) ?? [];
    return epoch === this.shelf.epoch && Number(change) <= this.shelf.change ? Number(change) : 0;
  }

  #catchUp(client) {
    const missed = this.shelf.change - client.change;
    if (missed === 0) return;
    const levels = this.shelf.changedAfter(client.change);
    if (client.change > 0) this.conflated(missed - levels.length);
    this.#write(client, this.#levelsText(levels, client.change === 0), this.shelf.change);
  }

  #write(client, text, change = client.change) {
    client.change = change;
    if (!client.response.write(text)) client.blockedSince ??= this.now();
  }

  #levelsText(levels, initial) {
    const data = JSON.stringify({ initial, levels: levels.map(this.describe.level) });
    return `id: ${this.shelf.epoch}-${this.shelf.change}\nevent: levels\ndata: ${data}\n\n`;
  }

  #pulseText() {
    return `event: pulse\ndata: ${JSON.stringify(this.describe.pulse())}\n\n`;
  }
}

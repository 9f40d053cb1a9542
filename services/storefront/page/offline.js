// The offline copy, in IndexedDB: products, levels, through when all of them are known to be true, and what the visitor was
// about to do. It follows the store, changes and date in one transaction, so that it never looks younger than it is. All tabs
// write the same copy: each only what has become different in it, and of a count what was known to be true last stays.

import { openDB } from 'idb';

const SAVE_MS = 400;
const NOTHING = { levels: {}, products: null, heard: null };
const DATE_MS = 5000; // the date alone is written this often
const NOTES = ['shop', 'cart', 'checkout'];

// What is kept of the store.
const partsOf = ({ levels, products, link, shop, cart, checkout }) =>
  ({ levels: levels.entities, products, heard: link.heard, shop, cart, checkout });

// Unless another tab knew better: by a date that has come, for this machine's clock may have been set back since.
async function putLater(store, level) {
  const held = await store.get(level.sku);
  if (!held || ownDate(held) <= ownDate(level) || ownDate(held) > Date.now()) await store.put(level);
}

const ownDate = ({ toldAt, age }) => toldAt - (age ?? 0);

export class OfflineCopy {
  #db;
  #saved = NOTHING;
  #savedAt = 0;
  #timer = null;

  static async open() {
    const copy = new OfflineCopy();
    copy.#db = await openDB('storefront', 1, {
      upgrade(db) {
        db.createObjectStore('levels', { keyPath: 'sku' });
        db.createObjectStore('products', { keyPath: 'sku' });
        db.createObjectStore('notes');
      },
    });
    return copy;
  }

  // All of it: { levels, products, heard, shop, cart, checkout, phone }; what is not there is undefined.
  async load() {
    const read = this.#db.transaction(['levels', 'products', 'notes']);
    const notes = read.objectStore('notes');
    const [levels, products, keys, values] = await Promise.all([
      read.objectStore('levels').getAll(), read.objectStore('products').getAll(), notes.getAllKeys(), notes.getAll(),
    ]);
    products.sort((a, b) => a.place - b.place);
    return { ...Object.fromEntries(keys.map((key, i) => [key, values[i]])), levels, products };
  }

  // A name for this copy, the same as long as it is there.
  async name() {
    const write = this.#db.transaction('notes', 'readwrite');
    let name = await write.store.get('phone');
    if (!name) await write.store.put((name = `phone-${crypto.randomUUID().slice(0, 13)}`), 'phone');
    await write.done;
    return name;
  }

  // What it holds of these SKUs: { levels, heard }.
  async look(skus) {
    const read = this.#db.transaction(['levels', 'notes']);
    const [heard, ...levels] = await Promise.all([
      read.objectStore('notes').get('heard'), ...skus.map((sku) => read.objectStore('levels').get(sku)),
    ]);
    return { levels: levels.filter(Boolean), heard };
  }

  // The store holds what was loaded, and nothing else yet. What the visitor does is written at once: the page may be gone the
  // next moment. Counts can wait a little.
  follow(store) {
    this.#saved = partsOf(store.getState());
    const save = () => {
      clearTimeout(this.#timer);
      this.#timer = null;
      this.#save(store.getState()).catch((error) => {
        this.#saved = NOTHING; // all of it is written next time
        console.error('the offline copy could not be written', error);
      });
    };
    store.subscribe(() => {
      const { cart, checkout } = store.getState();
      if (cart !== this.#saved.cart || checkout !== this.#saved.checkout) save();
      else this.#timer ??= setTimeout(save, SAVE_MS);
    });
  }

  async #save(state) {
    const saved = this.#saved;
    const parts = partsOf(state);
    const { levels, products, heard } = parts;
    const changed = Object.values(levels).filter((level) => saved.levels[level.sku] !== level);
    const gone = Object.keys(saved.levels).filter((sku) => !levels[sku]);
    const dateToo = heard !== null && heard !== saved.heard && (changed.length > 0 || Date.now() - this.#savedAt >= DATE_MS);
    const notes = NOTES.filter((name) => saved[name] !== parts[name]);
    if (!dateToo && changed.length + gone.length + notes.length === 0 && saved.products === products) return;

    this.#saved = { ...parts, heard: dateToo ? heard : saved.heard };
    if (dateToo) this.#savedAt = Date.now();
    const write = this.#db.transaction(['levels', 'products', 'notes'], 'readwrite');
    for (const level of changed) void putLater(write.objectStore('levels'), level);
    for (const sku of gone) void write.objectStore('levels').delete(sku);
    for (const name of notes) void write.objectStore('notes').put(parts[name], name);
    if (dateToo) void write.objectStore('notes').put(heard, 'heard');
    if (saved.products !== products) {
      void write.objectStore('products').clear();
      products.ids.forEach((sku, place) => void write.objectStore('products').put({ ...products.entities[sku], place }));
    }
    await write.done;
  }
}

// The whole stack, by the scripts of deploy/local, on free ports of loopback: for one test file.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { freePort, Process } from './process.js';

export const run = promisify(execFile);
export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const BUILD = process.env.STOCK_BUILD_DIR ?? path.join(ROOT, 'build/release');

const localScript = (name) => path.join(ROOT, 'deploy/local', name);

// A layer that is slow because the machine is has not failed. Of what is said twice the last counts.
const PATIENT = ['--redis-timeout', '10s', '--replica-timeout', '10s', '--primary-timeout', '20s'];
// Of the flags of deploy/flags/flags.json.
const FLAG_OPTIONS = [
  '--flags', 'black-friday=cap,sale-over=end-sale,recalled=hide', '--cohorts', 'public,beta,staff', '--flags-timeout', '5s'];

export class Stack {
  // `flags`: of the first stockd, besides those that say where everything is.
  static start(...flags) {
    return Stack.#beginSomewhere(false, flags);
  }
  // With a flag service besides, of the feature flags in the file stack.flagsFile.
  static startWithFlags(...flags) {
    return Stack.#beginSomewhere(true, flags);
  }

  // A port that was free may have been taken when somebody listens on it.
  static #beginSomewhere(withFlags, flags) {
    return Stack.#begin(withFlags, flags).catch((error) => {
      if (!error.message.includes('ddress already in use')) throw error;
      return Stack.#begin(withFlags, flags);
    });
  }

  static async #begin(withFlags, flags) {
    const stack = new Stack();
    stack.#flags = flags;
    stack.dir = await mkdtemp(path.join(os.tmpdir(), 'stock-e2e-'));
    await chmod(stack.dir, 0o755); // user postgres enters it
    try {
      await stack.#startServers();
      if (withFlags) {
        stack.flagsFile = path.join(stack.dir, 'flags.json');
        await copyFile(path.join(ROOT, 'deploy/flags/flags.json'), stack.flagsFile);
        stack.ports.flags = String(await freePort());
        await stack.startFlags();
      }
      await stack.#startStockd('stockd', stack.ports.stockd, stack.ports.admin, flags);
    } catch (error) {
      await stack.#end();
      throw error;
    }
    return stack;
  }

  get address() {
    return `127.0.0.1:${this.ports.stockd}`;
  }
  url(name, role) {
    return `postgresql://${role}@127.0.0.1:${this.ports[name]}/stock`;
  }

  // GET from the admin port.
  get(resource) {
    return fetch(`http://127.0.0.1:${this.ports.admin}${resource}`);
  }

  // Drains each stockd, which must end with success, asks whether the ledger that they leave is sound, and ends
  // the rest.
  async stop() {
    const ends = [];
    for (const stockd of this.#processes.filter(({ name }) => name.startsWith('stockd'))) {
      ends.push({ status: await stockd.stop('SIGTERM'), tail: stockd.tail() });
    }
    const fsck = await run(
      path.join(BUILD, 'services/stockctl/stockctl'),
      ['fsck', '--database-url', this.url('primary', 'stock_reader')]).catch((error) => error);
    await this.#end();
    for (const { status, tail } of ends) assert.equal(status, 0, `stockd ended with ${status}:\n${tail}`);
    assert.equal(fsck.code ?? 0, 0, `${fsck.stdout}${fsck.stderr}`);
  }

  // One more stockd over the same servers; its address.
  async addStockd() {
    const [stockd, admin] = [await freePort(), await freePort()];
    await this.#startStockd('stockd-2', stockd, admin);
    this.#admins.push(admin);
    return `127.0.0.1:${stockd}`;
  }

  // The shop over these stockd, with its settings; { url, admin, tail(), stop(), start() }.
  async startStorefront(stock = this.address, settings = {}) {
    const [listen, admin] = [await freePort(), await freePort()];
    const environment = {
      STOREFRONT_STOCK: stock, STOREFRONT_LISTEN: `127.0.0.1:${listen}`, STOREFRONT_ADMIN_LISTEN: `127.0.0.1:${admin}`, ...settings,
    };
    const start = async () => {
      const shop = this.#spawn(
        'storefront', 'env', ...Object.entries(environment).map(([name, value]) => `${name}=${value}`),
        process.execPath, path.join(ROOT, 'services/storefront/server/main.js'));
      await shop.ready(async () => (await fetch(`http://127.0.0.1:${admin}/readyz`)).ok);
      return shop;
    };
    let shop = await start();
    return {
      url: `http://127.0.0.1:${listen}`,
      admin: `http://127.0.0.1:${admin}`,
      tail: () => shop.tail(),
      // Its exit code; `start()` again after that.
      stop: () => {
        this.#processes.splice(this.#processes.indexOf(shop), 1);
        return shop.stop('SIGTERM');
      },
      start: async () => { shop = await start(); },
    };
  }

  // Analytics, which testifies each second.
  async startAnalytics() {
    const admin = await freePort();
    const analytics = this.#spawn(
      'analytics', path.join(BUILD, 'services/analytics/analytics'), '--stock-address', this.address,
      '--database-url', this.url('primary', 'analytics'), '--admin-listen', `127.0.0.1:${admin}`, '--testify-interval', '1s');
    await analytics.ready(async () => (await fetch(`http://127.0.0.1:${admin}/readyz`)).ok);
  }

  // A Prometheus that scrapes each stockd that there is each second and knows the project's rules; its address.
  async startPrometheus() {
    const port = String(await freePort());
    const prometheus = this.#spawn(
      'prometheus', localScript('prometheus'), path.join(this.dir, 'prometheus'), port,
      [this.ports.admin, ...this.#admins].join(','));
    const url = `http://127.0.0.1:${port}`;
    await prometheus.ready(async () => (await fetch(`${url}/-/ready`)).ok);
    return url;
  }

  // The flag service, which the stack was started with: ended without a word, and there again.
  async killFlags() {
    await this.#take('flags').stop('SIGKILL');
  }
  async startFlags() {
    const { flags } = this.ports;
    const service = this.#spawn('flags', localScript('flagd'), flags, this.flagsFile);
    await service.ready(() => listens(flags));
  }

  // Drains stockd, which must end with success, and starts another one in its place.
  async restartStockd() {
    const old = this.#take('stockd');
    const status = await old.stop('SIGTERM');
    assert.equal(status, 0, `stockd ended with ${status}:\n${old.tail()}`);
    await this.#startStockd('stockd', this.ports.stockd, this.ports.admin, this.#flags);
  }

  #processes = [];
  #admins = []; // of further stockds
  #flags = [];

  #take(wanted) {
    return this.#processes.splice(this.#processes.findIndex(({ name }) => name === wanted), 1)[0];
  }

  async #startServers() {
    const names = ['primary', 'replica', 'redis', 'stockd', 'admin'];
    const ports = await Promise.all(names.map(freePort));
    this.ports = Object.fromEntries(names.map((name, i) => [name, String(ports[i])]));
    const { primary, replica, redis } = this.ports;

    const data = (name) => path.join(this.dir, name);
    const database = this.#spawn('primary', localScript('postgres'), 'primary', data('primary'), primary);
    const cache = this.#spawn('redis', localScript('redis'), data('redis'), redis);
    await database.ready(() => acceptsConnections(primary));
    await run(localScript('migrate'), [primary]);
    const standby = this.#spawn(
      'replica', localScript('postgres'), 'replica', data('replica'), replica, primary);
    await standby.ready(() => acceptsConnections(replica));
    await cache.ready(async () => (await run('redis-cli', ['-p', redis, 'ping'])).stdout === 'PONG\n');
  }

  async #startStockd(name, stockd, admin, flags = []) {
    const service = this.#spawn(
      name, path.join(BUILD, 'services/stockd/stockd'),
      '--listen', `127.0.0.1:${stockd}`, '--admin-listen', `127.0.0.1:${admin}`,
      '--primary-url', this.url('primary', 'stock_writer'),
      '--replica-url', this.url('replica', 'stock_reader'),
      '--redis-url', `redis://127.0.0.1:${this.ports.redis}`, ...PATIENT,
      ...(this.ports.flags ? ['--flags-address', `127.0.0.1:${this.ports.flags}`, ...FLAG_OPTIONS] : []), ...flags);
    await service.ready(async () => (await fetch(`http://127.0.0.1:${admin}/readyz`)).ok);
  }

  #spawn(name, ...command) {
    const started = new Process(name, command, path.join(this.dir, `${name}.log`));
    this.#processes.push(started);
    return started;
  }

  async #end() {
    for (const started of this.#processes.reverse()) await started.stop('SIGINT');
    await rm(this.dir, { recursive: true, force: true });
  }
}

const listens = (port) => new Promise((resolve) => {
  const socket = net.connect(port, '127.0.0.1', () => {
    socket.destroy();
    resolve(true);
  });
  socket.once('error', () => resolve(false));
});

async function acceptsConnections(port) {
  await run('pg_isready', ['--quiet', '--host=127.0.0.1', `--port=${port}`]);
  return true;
}

// The whole stack, by the scripts of deploy/local, on free ports of loopback: for one test file.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { freePort, Process } from './process.js';

export const run = promisify(execFile);
export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const BUILD = process.env.STOCK_BUILD_DIR ?? path.join(ROOT, 'build/release');

const localScript = (name) => path.join(ROOT, 'deploy/local', name);

export class Stack {
  static async start() {
    const stack = new Stack();
    stack.dir = await mkdtemp(path.join(os.tmpdir(), 'stock-e2e-'));
    await chmod(stack.dir, 0o755); // user postgres enters it
    try {
      await stack.#startServers();
      await stack.#startStockd();
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

  // Drains stockd, which must end with success, and ends the rest.
  async stop() {
    const stockd = this.#processes.find(({ name }) => name === 'stockd');
    const status = await stockd.stop('SIGTERM');
    const tail = stockd.tail();
    await this.#end();
    assert.equal(status, 0, `stockd ended with ${status}:\n${tail}`);
  }

  // Drains stockd, which must end with success, and starts another one in its place.
  async restartStockd() {
    const [old] = this.#processes.splice(this.#processes.findIndex(({ name }) => name === 'stockd'), 1);
    const status = await old.stop('SIGTERM');
    assert.equal(status, 0, `stockd ended with ${status}:\n${old.tail()}`);
    await this.#startStockd();
  }

  #processes = [];

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

  async #startStockd() {
    const { stockd, admin, redis } = this.ports;
    const service = this.#spawn(
      'stockd', path.join(BUILD, 'services/stockd/stockd'),
      '--listen', `127.0.0.1:${stockd}`, '--admin-listen', `127.0.0.1:${admin}`,
      '--primary-url', this.url('primary', 'stock_writer'),
      '--replica-url', this.url('replica', 'stock_reader'),
      '--redis-url', `redis://127.0.0.1:${redis}`);
    await service.ready(async () => (await this.get('/readyz')).ok);
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

async function acceptsConnections(port) {
  await run('pg_isready', ['--quiet', '--host=127.0.0.1', `--port=${port}`]);
  return true;
}

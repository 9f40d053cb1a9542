// Child processes that do not outlive the test program, and the ports that they listen on.

import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const READY_MS = 120_000;
const STOP_MS = 60_000;

const given = new Set();

// Below the range of outgoing connections, as in tests/support/free_port.h; none twice.
export async function freePort() {
  for (;;) {
    const port = 20000 + Math.floor(Math.random() * 12000);
    const free = await new Promise((resolve) => {
      const server = net.createServer();
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (free && !given.has(port)) {
      given.add(port);
      return port;
    }
  }
}

// The process ends by SIGKILL when this program does, however it ends.
export class Process {
  constructor(name, command, log) {
    this.name = name;
    this.log = log;
    const output = openSync(log, 'a');
    this.child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...command], {
      detached: true, // in a group of its own
      stdio: ['ignore', output, output],
    });
    closeSync(output);
    this.ended = new Promise((resolve) =>
      this.child.once('exit', (code, signal) => resolve(code ?? signal)),
    );
  }

  running() {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  // Until `condition` resolves to true.
  async ready(condition) {
    const deadline = Date.now() + READY_MS;
    while (this.running() && Date.now() < deadline) {
      if (await condition().catch(() => false)) return;
      await sleep(50);
    }
    throw new Error(`${this.name} did not start:\n${this.tail()}`);
  }

  // Its exit code, or the name of the signal that ended it.
  async stop(signal) {
    if (this.running()) this.child.kill(signal);
    const killer = setTimeout(() => this.child.kill('SIGKILL'), STOP_MS);
    const status = await this.ended;
    clearTimeout(killer);
    return status;
  }

  all() {
    return readFileSync(this.log, 'utf8');
  }

  tail() {
    return this.all().split('\n').slice(-25).join('\n');
  }
}

// Calls of the shop's API. An answer that is no success is a Refused with what the shop said; no answer is whatever fetch throws.
// Each answer says what the database's clock read.

import { DatabaseClock } from '../clock.js';

const TIMEOUT_MS = 12_000;

export class Refused extends Error {
  constructor(status, body) {
    super(body.message);
    this.body = { ...body, status };
  }
}

export const databaseClock = new DatabaseClock();

export async function request(method, path, body) {
  const sent = databaseClock.now();
  const response = await fetch(path, {
    method,
    signal: AbortSignal.timeout(TIMEOUT_MS),
    ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const time = Number(response.headers.get('database-time'));
  if (time) databaseClock.learn(time, 0, sent);
  const answer = await response.json();
  if (!response.ok) throw new Refused(response.status, answer);
  return answer;
}

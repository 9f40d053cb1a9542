// The back door of redis: a copy with other counts, under a checksum that is right (services/stock/redis/codec.h).

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';

const ON_HAND = 45;
const CHECKSUM = 93;
const LENGTH = 101;

function redis(port, args, input) {
  return new Promise((resolve, reject) => {
    const client = spawn('redis-cli', ['-p', port, ...args], { stdio: [input ? 'pipe' : 'ignore', 'pipe', 'inherit'] });
    const output = [];
    client.stdout.on('data', (bytes) => output.push(bytes));
    client.once('error', reject);
    client.once('close', () => resolve(Buffer.concat(output).subarray(0, -1))); // without the newline at its end
    client.stdin?.end(input);
  });
}

function murmurHash64A(bytes, seed) {
  const multiplier = 0xc6a4a7935bd1e995n;
  const times = (number) => BigInt.asUintN(64, number * multiplier);
  const mixed = (number) => number ^ (number >> 47n);
  let hash = seed ^ times(BigInt(bytes.length));
  for (let at = 0; at < bytes.length; at += 8) {
    const word = Buffer.alloc(8);
    const whole = bytes.copy(word, 0, at) === 8;
    const number = word.readBigUInt64LE();
    hash = times(hash ^ (whole ? times(mixed(times(number))) : number));
  }
  return mixed(times(mixed(hash)));
}

function checksum({ sku, location }, payload) {
  return [location, sku, payload].reduce((seed, part) => murmurHash64A(Buffer.from(part), seed), 0n);
}

// Adds `delta` to what is on hand in the copy of `key`, and says how much that is now; undefined where there is no copy.
export async function lieInRedis(port, key, delta) {
  const suffix = `:${Buffer.byteLength(key.location)}:${key.location}:${key.sku}`;
  const names = (await redis(port, ['--scan'])).toString().split('\n');
  const name = names.find((each) => each.endsWith(suffix));
  const value = name && (await redis(port, ['get', name]));
  if (value?.length !== LENGTH) return undefined;
  const onHand = value.readBigInt64LE(ON_HAND) + BigInt(delta);
  value.writeBigInt64LE(onHand, ON_HAND);
  value.writeBigUInt64LE(checksum(key, value.subarray(0, CHECKSUM)), CHECKSUM);
  await redis(port, ['-x', 'set', name], value);
  return Number(onHand);
}

// Makes the copy of `key` claim `claimed`, which is `delta` more than there is. What writers and readers tell redis may
// come late, or be lost: it is read anew until its copy is the newest one.
export async function plantLie(client, port, key, delta, claimed) {
  for (const deadline = Date.now() + 60_000; (await lieInRedis(port, key, delta)) !== claimed;) {
    assert.ok(Date.now() < deadline, 'redis never has a copy of what there is');
    await client.call('GetStockLevel', { key, consistency: { fully_consistent: true } });
  }
}

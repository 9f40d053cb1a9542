// The environment, read once, here only: every setting is checked before anything starts, and a variable that begins
// with STOREFRONT_ and is none of these is an error.

import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const HOME = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

const text = (value) => value;
const file = (value) => path.resolve(value);

const integer = (least, most) => (value) => {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < least || number > most) throw new Error(`not within ${least} to ${most}`);
  return number;
};

function listen(value) {
  const [, host, port] = /^(.*):(\d{1,5})$/.exec(value) ?? [];
  if (!host || Number(port) > 65535) throw new Error('not HOST:PORT');
  return { host, port: Number(port) };
}

// What grpc-js resolves. It takes a list of addresses, or one name, which may stand for many.
function target(value) {
  const addresses = value.split(',').map((address) => address.trim());
  for (const address of addresses) listen(address);
  const numeric = addresses.every((address) => net.isIPv4(address.slice(0, address.lastIndexOf(':'))));
  if (!numeric && addresses.length > 1) throw new Error('several are given as IPv4 addresses, or as one name for all');
  return numeric ? `ipv4:${addresses.join(',')}` : `dns:///${value}`;
}

// Addresses and networks, as something that knows which addresses are among them.
function networks(value) {
  const list = new net.BlockList();
  for (const one of value.split(',').filter(Boolean)) {
    const [, address, prefix] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(one.trim()) ?? [];
    const bits = { 4: 32, 6: 128 }[net.isIP(address ?? '')];
    if (!bits || Number(prefix ?? bits) > bits) throw new Error('not IP addresses or networks like 10.0.0.0/8');
    list.addSubnet(address, Number(prefix ?? bits), bits === 32 ? 'ipv4' : 'ipv6');
  }
  return list;
}

function names(value) {
  const list = value.split(',').filter(Boolean);
  if (list.length > 16 || !list.every((name) => /^[a-z0-9][a-z0-9_-]{0,31}$/.test(name))) {
    throw new Error('not up to 16 names of lower case letters, digits, - and _');
  }
  return list;
}

// Variable: [key, default, reader, what it is].
const SETTINGS = {
  STOREFRONT_LISTEN: ['listen', '127.0.0.1:8080', listen, 'the shop'],
  STOREFRONT_ADMIN_LISTEN: ['admin', '127.0.0.1:8081', listen, '/healthz, /readyz and /metrics: not for shoppers'],
  STOREFRONT_STOCK: ['target', '127.0.0.1:7070', target, 'stockd: HOST:PORT, or several IPV4:PORT with commas between'],
  STOREFRONT_LOCATION: ['location', 'LON', text, 'where it sells from'],
  STOREFRONT_PRODUCTS: ['products', path.join(HOME, 'products.csv'), file, 'SKU,Name,Price,Category; price in pence'],
  STOREFRONT_PROTO: ['proto', path.resolve(HOME, '../../proto'), file, 'the folder of the .proto files'],
  STOREFRONT_COHORTS: ['cohorts', 'public,beta,staff', names, 'of visitors; who names none is in the first one'],
  STOREFRONT_READ_TIMEOUT_MS: ['readTimeout', '1500', integer(10, 60_000), 'deadline of reads, retries included'],
  STOREFRONT_WRITE_TIMEOUT_MS: ['writeTimeout', '5000', integer(10, 60_000), 'deadline of writes and lists, retries included'],
  STOREFRONT_HOLD_SECONDS: ['holdSeconds', '900', integer(1, 86_400), 'how long a checkout holds its units'],
  STOREFRONT_TESTIMONY_MS: ['testimonyInterval', '15000', integer(100, 3_600_000), 'how often a page testifies'],
  STOREFRONT_CALLS_PER_SECOND: ['callsPerSecond', '20', integer(1, 10_000), 'of one visitor, beside events'],
  STOREFRONT_EVENT_STREAMS: ['eventStreams', '2000', integer(1, 100_000), 'at the same time'],
  STOREFRONT_STREAMS_PER_VISITOR: ['streamsPerVisitor', '20', integer(1, 100_000), 'event streams of one visitor'],
  STOREFRONT_STREAMS_PER_ADDRESS: ['streamsPerAddress', '200', integer(1, 100_000), 'event streams of one address'],
  STOREFRONT_TRUSTED_PROXIES: ['trustedProxies', '', networks, 'addresses and networks whose word on whom they forward for is taken'],
};

export function readConfig(environment) {
  for (const name of Object.keys(environment)) {
    if (name.startsWith('STOREFRONT_') && !(name in SETTINGS)) throw new Error(`${name} is no setting`);
  }
  const config = {};
  for (const [name, [key, byDefault, read]] of Object.entries(SETTINGS)) {
    try {
      config[key] = read(environment[name] ?? byDefault);
    } catch (error) {
      throw new Error(`${name}: ${error.message}: '${environment[name]}'`);
    }
  }
  return config;
}

export const help = () => Object.entries(SETTINGS)
  .map(([name, [, byDefault, , what]]) => `  ${name}\n      ${what} (${path.isAbsolute(byDefault) ? path.relative(HOME, byDefault) : byDefault || 'none'})`)
  .join('\n');

export const DIST = path.join(HOME, 'dist');

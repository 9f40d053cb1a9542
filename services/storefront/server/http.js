// The edge of the shop: what every request and response has to have, whatever it is about.

import { randomBytes } from 'node:crypto';
import net from 'node:net';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

import { BadRequest } from './checks.js';

const MAX_BODY_BYTES = 32 * 1024;
const WORTH_COMPRESSING_BYTES = 1024;
const YEAR_SECONDS = 365 * 86_400;

const HEADERS = {
  'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=()',
};

const compress = promisify(gzip);

export function setHeaders(response) {
  for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
}

export async function send(request, response, status, type, body, headers = {}) {
  let bytes = Buffer.from(body);
  const all = { 'content-type': type, ...headers };
  if (bytes.length >= WORTH_COMPRESSING_BYTES) {
    all.vary = 'accept-encoding';
    if (/\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) {
      bytes = await compress(bytes);
      all['content-encoding'] = 'gzip';
    }
  }
  response.writeHead(status, { ...all, 'content-length': bytes.length });
  response.end(request.method === 'HEAD' ? undefined : bytes);
}

export const sendJson = (request, response, status, value, headers = {}) =>
  send(request, response, status, 'application/json', JSON.stringify(value), { 'cache-control': 'no-store', ...headers });

// A page of another origin can make a browser send neither this type nor these headers.
export function isForeign({ headers }) {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin') return true;
  if (headers.origin === undefined) return false;
  try {
    return new URL(headers.origin).host !== headers.host;
  } catch {
    return true;
  }
}

export async function readJson(request) {
  if (!/^application\/json\b/.test(request.headers['content-type'] ?? '')) throw new BadRequest('the content type is not application/json');
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new BadRequest(`more than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new BadRequest('not JSON');
  }
}

function cookie(request, name) {
  for (const pair of (request.headers.cookie ?? '').split(';')) {
    const [key, value] = pair.trim().split('=');
    if (key === name) return value;
  }
  return undefined;
}

function setCookie(request, response, name, value, more) {
  const secure = request.headers['x-forwarded-proto'] === 'https' ? '; Secure' : '';
  response.appendHeader?.('set-cookie', `${name}=${value}; Path=/; SameSite=Lax; Max-Age=${YEAR_SECONDS}${more}${secure}`);
}

// The address that a request comes from: of trusted proxies, the one that they forward for.
export function addressOf({ socket, headers }, trustedProxies) {
  const hops = [...(headers['x-forwarded-for'] ?? '').split(',').map((hop) => hop.trim()), socket.remoteAddress ?? ''];
  const trusted = (hop) => net.isIP(hop) !== 0 && trustedProxies.check(hop, net.isIPv6(hop) ? 'ipv6' : 'ipv4');
  let address;
  do address = hops.pop().replace(/^::ffff:(?=\d+\.)/, '');
  while (trusted(address) && net.isIP(hops.at(-1) ?? ''));
  return address;
}

// Who this is, over visits: { visitor, cohort }; a visitor without a cookie gets one with the answer where `welcome`.
export function whoIs(request, response, url, cohorts, welcome) {
  let visitor = cookie(request, 'visitor');
  if (!/^[\w-]{22}$/.test(visitor ?? '')) {
    visitor = undefined;
    if (welcome) setCookie(request, response, 'visitor', (visitor = randomBytes(16).toString('base64url')), '; HttpOnly');
  }
  const wished = url.searchParams.get('cohort');
  if (cohorts.includes(wished)) {
    if (welcome && cookie(request, 'cohort') !== wished) setCookie(request, response, 'cohort', wished, '; HttpOnly');
    return { visitor, cohort: wished };
  }
  const kept = cookie(request, 'cohort');
  return { visitor, cohort: cohorts.includes(kept) ? kept : cohorts[0] ?? '' };
}

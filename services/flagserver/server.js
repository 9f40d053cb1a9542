// Usage: node server.js --listen HOST:PORT --flags FILE
//
// A flag service for the tests and the stack on one machine: speaks flagd's evaluation protocol, and evaluates by
// flagd's engine, from a file of flagd's format that it watches. In containers flagd itself does this.

import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';
import { FlagdCore } from '@openfeature/flagd-core';

const PROTO = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../proto');
const WATCH_MS = 100;
const KEEP_ALIVE_MS = 20_000;

const { values: { listen, flags: file } } = parseArgs({
  options: { listen: { type: 'string' }, flags: { type: 'string' } },
});
if (!listen || !file) {
  console.error('Usage: node server.js --listen HOST:PORT --flags FILE');
  process.exit(2);
}

const loaded = protoLoader.loadSync('flagd/evaluation/v1/evaluation.proto', {
  includeDirs: [PROTO],
  keepCase: true, longs: Number, oneofs: true,
});
const { Service } = grpc.loadPackageDefinition(loaded).flagd.evaluation.v1;

const silent = { error() {}, warn() {}, info() {}, debug() {} };
let core = new FlagdCore(undefined, silent);

// A file that cannot be read, or is none of flags, changes nothing.
function load() {
  try {
    const fresh = new FlagdCore(undefined, silent);
    fresh.setConfigurations(readFileSync(file, 'utf8'));
    core = fresh;
    console.log(`${core.getFlags().size} flags from ${file}`);
    return true;
  } catch (error) {
    console.error(`the flags stay as they are: ${error.message}`);
    return false;
  }
}

// google.protobuf.Struct, from and to plain objects.
function fromValue(value) {
  switch (value.kind) {
    case 'structValue': return fromStruct(value.structValue);
    case 'listValue': return value.listValue.values.map(fromValue);
    case 'nullValue': return null;
    default: return value[value.kind];
  }
}
const fromStruct = (struct) =>
  Object.fromEntries(Object.entries(struct?.fields ?? {}).map(([key, value]) => [key, fromValue(value)]));
function toValue(value) {
  if (value === null) return { nullValue: 'NULL_VALUE' };
  if (Array.isArray(value)) return { listValue: { values: value.map(toValue) } };
  switch (typeof value) {
    case 'boolean': return { boolValue: value };
    case 'number': return { numberValue: value };
    case 'string': return { stringValue: value };
    default: return { structValue: toStruct(value) };
  }
}
const toStruct = (object) =>
  ({ fields: Object.fromEntries(Object.entries(object).map(([key, value]) => [key, toValue(value)])) });

function anyFlag({ value, variant = '', reason = '' }) {
  switch (typeof value) {
    case 'boolean': return { variant, reason, bool_value: value };
    case 'number': return { variant, reason, double_value: value };
    case 'string': return { variant, reason, string_value: value };
    default: return { variant, reason, object_value: toStruct(value) };
  }
}

function resolveAll({ request }, answer) {
  const flags = {};
  for (const details of core.resolveAll(fromStruct(request.context), silent)) flags[details.flagKey] = anyFlag(details);
  answer(null, { flags });
}

const CODES = {
  FLAG_NOT_FOUND: grpc.status.NOT_FOUND,
  TYPE_MISMATCH: grpc.status.INVALID_ARGUMENT,
  PARSE_ERROR: grpc.status.DATA_LOSS,
};
const resolve = (method, fallback) => ({ request }, answer) => {
  const details = core[method](request.flag_key, fallback, fromStruct(request.context), silent);
  if (details.errorCode) {
    const code = CODES[details.errorCode] ?? grpc.status.UNKNOWN;
    return answer({ code, details: `${request.flag_key}: ${details.errorMessage ?? details.errorCode}` });
  }
  answer(null, { value: details.value, reason: details.reason ?? '', variant: details.variant ?? '' });
};

const streams = new Set();
const tell = (type) => streams.forEach((stream) => stream.write({ type }));
function eventStream(stream) {
  streams.add(stream);
  for (const end of ['cancelled', 'close', 'error']) stream.on(end, () => streams.delete(stream));
  stream.write({ type: 'provider_ready' });
}

load();
watchFile(file, { interval: WATCH_MS }, () => { if (load()) tell('configuration_change'); });
const keepAlive = setInterval(() => tell('keep_alive'), KEEP_ALIVE_MS);

const server = new grpc.Server();
server.addService(Service.service, {
  ResolveAll: resolveAll,
  ResolveBoolean: resolve('resolveBooleanEvaluation', false),
  ResolveString: resolve('resolveStringEvaluation', ''),
  ResolveInt: resolve('resolveNumberEvaluation', 0),
  EventStream: eventStream,
});
server.bindAsync(listen, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error) {
    console.error(`cannot listen on ${listen}: ${error.message}`);
    process.exit(1);
  }
  console.log(`listening on ${listen}`);
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    unwatchFile(file);
    clearInterval(keepAlive);
    server.forceShutdown();
    process.exit(0);
  });
}

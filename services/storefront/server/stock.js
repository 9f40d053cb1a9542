// The stock service as this backend sees it: calls with deadlines, spread over all stockd by round robin, repeated by
// service config where that is safe (every write carries a request id, a testimony its date), and errors with their reason
// in words of ours.

import { performance } from 'node:perf_hooks';
import path from 'node:path';

import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';
import protobuf from 'protobufjs';

import { milliseconds } from './levels.js';

const RETRY = {
  maxAttempts: 4, initialBackoff: '0.05s', maxBackoff: '0.5s', backoffMultiplier: 2, retryableStatusCodes: ['UNAVAILABLE'],
};
const SERVICE_CONFIG = {
  loadBalancingConfig: [{ round_robin: {} }],
  methodConfig: [{ name: [{ service: 'stock.v1.StockService' }, { service: 'stock.v1.DriftService' }], retryPolicy: RETRY }],
};
const CHANNEL = {
  'grpc.service_config': JSON.stringify(SERVICE_CONFIG),
  'grpc.enable_retries': 1,
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2_000,
};

// These take longer.
const PATIENT = new Set([
  'CreateReservation', 'UpdateReservation', 'CommitReservation', 'ReleaseReservation', 'ListStockLevels', 'SubmitTestimonies',
]);

export class StockError extends Error {
  constructor(method, error, reason) {
    super(error.details || error.message);
    this.method = method;
    this.code = grpc.status[error.code] ?? 'UNKNOWN';
    this.reason = reason || this.code;
  }
}

export class Stock {
  #stock;
  #drift;
  #status;

  // `clock` learns the database's time from answers, `observe(method, code, seconds)` hears of each call.
  constructor({ target, proto, readTimeout, writeTimeout }, clock, observe) {
    const definition = protoLoader.loadSync(
      ['stock/v1/stock_service.proto', 'stock/v1/drift_service.proto'].map((name) => path.join(proto, name)),
      { includeDirs: [proto], keepCase: true, longs: Number, enums: String, defaults: true, arrays: true, oneofs: true });
    const { StockService, DriftService } = grpc.loadPackageDefinition(definition).stock.v1;
    this.#stock = new StockService(target, grpc.credentials.createInsecure(), CHANNEL);
    this.#drift = new DriftService(target, grpc.credentials.createInsecure(), CHANNEL);
    const root = new protobuf.Root();
    root.resolvePath = (_origin, name) => path.join(proto, name);
    root.loadSync('google/rpc/status.proto', { keepCase: true });
    this.#status = root;
    this.timeouts = { read: readTimeout, write: writeTimeout };
    this.clock = clock;
    this.observe = observe;
  }

  // Resolves to the response; rejects with a StockError.
  call(method, request) {
    const client = method === 'SubmitTestimonies' ? this.#drift : this.#stock;
    const deadline = Date.now() + (PATIENT.has(method) ? this.timeouts.write : this.timeouts.read);
    const sent = performance.now();
    return new Promise((resolve, reject) => {
      client[method](request, { deadline }, (error, response) => {
        this.observe(method, grpc.status[error?.code ?? 0] ?? 'UNKNOWN', (performance.now() - sent) / 1000);
        if (error) return reject(this.error(method, error));
        this.#learnTime(response, sent);
        return resolve(response);
      });
    });
  }

  // A server stream without a deadline.
  watch(request) {
    return this.#stock.WatchStockLevels(request);
  }

  error(method, error) {
    if (!(error?.metadata instanceof grpc.Metadata)) return error;
    const [bytes] = error.metadata.get('grpc-status-details-bin');
    return new StockError(method, error, bytes && this.#reasonOf(bytes));
  }

  close() {
    this.#stock.close();
    this.#drift.close();
  }

  // What is true through t and has age a was answered at t + a by the database's clock.
  #learnTime({ level, levels, provenance }, sent) {
    const found = level ?? levels?.[0];
    if (!found?.provenance?.true_through || !found.provenance.age) return;
    const answered = milliseconds(found.provenance.true_through) + milliseconds(found.provenance.age);
    this.clock.learn(answered, milliseconds(provenance?.uncertainty) ?? 0, sent);
  }

  #reasonOf(bytes) {
    try {
      const info = this.#status.lookupType('google.rpc.ErrorInfo');
      const { details } = this.#status.lookupType('google.rpc.Status').decode(bytes);
      const found = details.find(({ type_url: name }) => name.endsWith('google.rpc.ErrorInfo'));
      return found && info.decode(found.value).reason;
    } catch {
      return undefined; // details of another kind: the code has to do
    }
  }
}

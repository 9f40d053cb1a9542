// @grpc/grpc-js as a client of the service, from the .proto files alone.

import path from 'node:path';

import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';
import protobuf from 'protobufjs';

import { ROOT } from './stack.js';

const PROTO = path.join(ROOT, 'proto');
const SERVICE_FILES = ['stock/v1/stock_service.proto', 'stock/v1/drift_service.proto'];
const OPTIONS = {
  includeDirs: [PROTO], keepCase: true,
  longs: String, enums: String, defaults: true, arrays: true, oneofs: true,
};

const { DriftService, StockService } = grpc.loadPackageDefinition(protoLoader.loadSync(SERVICE_FILES, OPTIONS)).stock.v1;

// Messages that travel in metadata.
const types = new protobuf.Root();
types.resolvePath = (_origin, target) => path.join(PROTO, target);
types.loadSync(['google/rpc/status.proto', 'stock/v1/provenance.proto'], { keepCase: true });
const decode = (name, bytes) => {
  const type = types.lookupType(name);
  return type.toObject(type.decode(bytes), { longs: String, enums: String, defaults: true });
};

// An error's details: { ErrorInfo: {...}, BadRequest: {...}, ... }.
export function errorDetails(error) {
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  if (!bytes) return {};
  const status = decode('google.rpc.Status', bytes);
  return Object.fromEntries(status.details.map(({ type_url, value }) => {
    const name = type_url.slice(type_url.lastIndexOf('/') + 1);
    return [name.slice(name.lastIndexOf('.') + 1), decode(name, value)];
  }));
}

// Where an error of a read comes from, or undefined.
export function errorProvenance(error) {
  const [bytes] = error.metadata.get('stock-provenance-bin');
  return bytes && decode('stock.v1.Provenance', bytes);
}

// call(method, request) resolves to the response, or rejects with grpc's error.
export function connect(address) {
  const clients = [StockService, DriftService].map((Service) => new Service(address, grpc.credentials.createInsecure()));
  const of = (method) => clients.find((client) => method in client);
  return {
    call: (method, request) => new Promise((resolve, reject) => {
      const deadline = Date.now() + 30_000;
      of(method)[method](request, { deadline }, (error, response) =>
        error ? reject(error) : resolve(response));
    }),
    // A server stream, as an async iterable of its responses that can be cancelled.
    stream: (method, request) => of(method)[method](request, { deadline: Date.now() + 60_000 }),
    close: () => clients.forEach((client) => client.close()),
  };
}

export const { status } = grpc;

// A google.protobuf.Duration or Timestamp in seconds.
export const seconds = ({ seconds: whole, nanos }) => Number(whole) + nanos / 1e9;

// The page, as build.js left it in dist/: read once, served from memory, always asked for anew by its ETag.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { send } from './http.js';

const TYPES = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml', '.webmanifest': 'application/manifest+json',
};

export class Files {
  #files = new Map();

  constructor(folder) {
    let names;
    try {
      names = readdirSync(folder);
    } catch {
      throw new Error(`the page has not been built: run 'npm run build' in ${path.dirname(folder)}`);
    }
    for (const name of names) {
      const body = readFileSync(path.join(folder, name));
      const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
      this.#files.set(name === 'index.html' ? '/' : `/${name}`, { body, etag, type: TYPES[path.extname(name)] });
    }
  }

  serve(request, response, name) {
    const file = this.#files.get(name);
    if (!file) return send(request, response, 404, 'text/plain; charset=utf-8', 'There is nothing here.\n');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return send(request, response, 405, 'text/plain; charset=utf-8', 'Not this way.\n', { allow: 'GET, HEAD' });
    }
    const headers = { etag: file.etag, 'cache-control': 'no-cache' };
    if (request.headers['if-none-match'] === file.etag) {
      response.writeHead(304, headers).end();
      return undefined;
    }
    return send(request, response, 200, file.type, file.body, headers);
  }
}

// Makes the page: dist/ from page/. Run by `npm run build` after `npm ci`; nothing of it is kept in the repository.

import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

const HOME = path.dirname(fileURLToPath(import.meta.url));
const DIST = path.join(HOME, 'dist');
const COMMON = {
  absWorkingDir: HOME, outdir: DIST, bundle: true, minify: true, logLevel: 'warning', target: ['es2022'], legalComments: 'eof',
  jsx: 'automatic', jsxImportSource: 'preact', define: { 'process.env.NODE_ENV': '"production"' },
};

rmSync(DIST, { recursive: true, force: true });
mkdirSync(DIST);
await build({ ...COMMON, entryPoints: { app: 'page/main.jsx', style: 'page/style.css' }, format: 'esm' });
for (const name of ['index.html', 'icon.svg', 'shop.webmanifest']) cpSync(path.join(HOME, 'page', name), path.join(DIST, name));

// The service worker knows the files by their hash: another build is another copy.
const files = readdirSync(DIST).sort();
const hash = createHash('sha256');
for (const name of files) hash.update(name).update(readFileSync(path.join(DIST, name)));
await build({
  ...COMMON, entryPoints: { sw: 'page/sw.js' }, format: 'iife',
  define: {
    BUILD: JSON.stringify(hash.digest('hex').slice(0, 16)),
    FILES: JSON.stringify(files.map((name) => (name === 'index.html' ? '/' : `/${name}`))),
  },
});

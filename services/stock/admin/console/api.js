// What the process tells, and does, beside this page: the RPCs of DriftService in JSON.

const PATIENCE_MS = 5000;
const AGAIN_MS = 300; // after being told that too much is asked at a time

// Whether the process takes changes from here; known from its first answer on.
let changesTaken = false;
export const mayChange = () => changesTaken;
// The same of flags: whether there are any to ask of.
let flagsKnown = false;
export const hasFlags = () => flagsKnown;

// Resolves to the response, or rejects with an error fit to be shown.
async function call(path, options = {}) {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  for (;;) {
    const response = await fetch(`api/${path}`, { ...options, signal });
    const body = await response.json();
    if (response.status === 503 && response.headers.has('Retry-After')) {
      // Not done, and not all at the same moment again.
      await new Promise((resolve) => { setTimeout(resolve, AGAIN_MS * (0.5 + Math.random())); });
      continue;
    }
    if (response.headers.has('Console-Changes')) changesTaken = true;
    if (response.headers.has('Console-Flags')) flagsKnown = true;
    if (!response.ok) throw Object.assign(new Error(body.message), { code: body.code });
    return body;
  }
}

export const ask = (method, fields = {}) => call(`${method}?${new URLSearchParams(fields)}`);

// The header is what no page from elsewhere can send.
export const change = (method, request) => call(method, {
  method: 'POST', body: JSON.stringify(request), headers: { 'Content-Type': 'application/json', 'Console-Change': '1' },
});

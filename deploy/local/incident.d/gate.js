// Usage: node gate.js PORT HOST:PORT
//
// Passes connections on to a primary, until SIGUSR1: from then on whatever asks for the feed gets no answer, and all
// else does. SIGUSR2 opens it again. What is asked for is told by the names of stockd's prepared statements.

import net from 'node:net';

const FEED = /moves_since|tail_beginning/;

const [port, primary] = process.argv.slice(2);
const [, host, primaryPort] = /^(.*):(\d+)$/.exec(primary);
const feeds = new Set(); // connections that have asked for the feed
let cut = false;

net.createServer((client) => {
  const server = net.connect(primaryPort, host);
  const end = () => {
    feeds.delete(client);
    client.destroy();
    server.destroy();
  };
  client.on('data', (bytes) => {
    if (FEED.test(bytes.toString('latin1'))) feeds.add(client);
    if (!cut || !feeds.has(client)) server.write(bytes);
  });
  server.on('data', (bytes) => {
    if (!cut || !feeds.has(client)) client.write(bytes);
  });
  for (const socket of [client, server]) socket.setNoDelay(true).on('close', end).on('error', end);
}).listen(Number(port), '127.0.0.1');

process.on('SIGUSR1', () => { cut = true; });
// What was dropped is not sent again: such a connection begins anew.
process.on('SIGUSR2', () => {
  cut = false;
  for (const client of feeds) client.destroy();
});

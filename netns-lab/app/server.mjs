// SPDX-License-Identifier: GPL-2.0-or-later
//
// The lab's backend: a plain node:http server whose answers tell tests what Node saw.
// Paths match on their last segments, so each also works below any prefix (/b/chunks/5/2):
//   /              React front page          /products/ID   React product page
//   /whoami        the request as JSON       /bytes/N       N bytes, byte i = 'a' + i % 26
//   /chunks/N/MS   N chunks, one each MS ms  /slow/MS       an answer after MS ms
//   /status/CODE   that status               /close         `connection: close`
//   /healthz       for probes                /ws            WebSocket echo
// Every method is accepted; a request's body is read to its end before the answer begins.
// Environment: NAME, HOST, PORT (a comma list is allowed), KEEPALIVE_MS (default: Node's own).

import { createHash } from 'node:crypto';
import { createServer, ServerResponse, STATUS_CODES } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import { frontPage, productPage, sendPage } from './page.mjs';

const NAME = process.env.NAME ?? 'node';
const HOST = process.env.HOST ?? '::';
const PORTS = (process.env.PORT ?? '3000').split(',').map(Number);
const KEEPALIVE_MS = process.env.KEEPALIVE_MS;

const PATTERN = Buffer.from('abcdefghijklmnopqrstuvwxyz'.repeat(40_000)); // a multiple of 26

// Since the start of the process. Health probes count in `probes` only: a gateway sends them at
// its own pace, and tests compare the other two.
const seen = { connections: 0, requests: 0, probes: 0 };
const socketsSeen = new WeakSet();

/** Counts a request; the connection was counted when it was accepted. */
function count(req, isProbe) {
  const isFirst = !socketsSeen.has(req.socket);
  socketsSeen.add(req.socket);
  if (!isProbe) {
    seen.requests++;
    return;
  }
  seen.probes++;
  if (isFirst) seen.connections--;
}

function sendText(res, status, text) {
  const body = Buffer.from(text);
  res.writeHead(status, { 'content-type': 'text/plain', 'content-length': body.length });
  res.end(body);
}

function notFound(req, res) {
  sendText(res, 404, 'not found\n');
}

/** The peer's address; Node writes IPv4 peers of a dual-stack socket as ::ffff:a.b.c.d. */
function peerAddress(socket) {
  return socket.remoteAddress?.replace(/^::ffff:/, '');
}

function whoami(req, res, args, body) {
  const json = Buffer.from(JSON.stringify({
    backend: NAME,
    method: req.method,
    url: req.url,
    httpVersion: req.httpVersion,
    remoteAddress: peerAddress(req.socket),
    remotePort: req.socket.remotePort,
    headers: req.headers,
    rawHeaders: req.rawHeaders,
    ...seen,
    bodyLength: body.length,
    bodySha256: body.hash.digest('hex'),
  }));
  res.writeHead(200, { 'content-type': 'application/json', 'content-length': json.length });
  res.end(json);
}

function* patternBlocks(length) {
  for (let left = length; left > 0; left -= PATTERN.length) {
    yield left < PATTERN.length ? PATTERN.subarray(0, left) : PATTERN;
  }
}

async function bytes(req, res, [length]) {
  res.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': length });
  if (req.method === 'HEAD') {
    res.end();
  } else if (length <= PATTERN.length) {
    res.end(PATTERN.subarray(0, length));
  } else {
    await pipeline(Readable.from(patternBlocks(length)), res);
  }
}

async function chunks(req, res, [total, intervalMs]) {
  res.writeHead(200, { 'content-type': 'text/plain', 'transfer-encoding': 'chunked' });
  for (let i = 0; i < total && req.method !== 'HEAD' && !res.destroyed; i++) {
    await sleep(intervalMs);
    res.write(`chunk ${i} of ${total} by ${NAME}\n`);
  }
  res.end();
}

async function slow(req, res, [delayMs]) {
  await sleep(delayMs);
  sendText(res, 200, `slow ${delayMs}\n`);
}

function status(req, res, [code]) {
  if (code < 200 || code > 599) {
    notFound(req, res);
  } else if (code === 204 || code === 304) {
    res.writeHead(code).end();
  } else {
    sendText(res, code, `${code} ${STATUS_CODES[code] ?? ''}\n`);
  }
}

function close(req, res) {
  res.setHeader('connection', 'close');
  sendText(res, 200, 'closing\n');
}

// One map for each number of arguments that follow the name: /bytes/N has one, /chunks/N/MS two.
const ROUTES = [
  new Map([
    ['', (req, res) => sendPage(res, frontPage(NAME))],
    ['whoami', whoami],
    ['healthz', (req, res) => sendText(res, 200, 'ok\n')],
    ['close', close],
  ]),
  new Map([
    ['products', (req, res, [id]) => sendPage(res, productPage(NAME, id))],
    ['bytes', bytes],
    ['slow', slow],
    ['status', status],
  ]),
  new Map([['chunks', chunks]]),
];

/** The handler of a target and its arguments: text for products, whole numbers for the others. */
function match(url) {
  const segments = url.split('?', 1)[0].split('/');
  for (const [arity, names] of ROUTES.entries()) {
    const name = segments.at(-1 - arity);
    const handler = names.get(name);
    const args = segments.slice(segments.length - arity);
    if (!handler) continue;
    if (name === 'products') return { handler, name, args };
    const isNumeric = args.every((arg) => /^\d{1,11}$/.test(arg));
    if (isNumeric) return { handler, name, args: args.map(Number) };
  }
  return { handler: notFound, args: [] };
}

/** Reads the whole body, whatever its size: { length, hash }. */
async function readBody(req) {
  const body = { length: 0, hash: createHash('sha256') };
  for await (const chunk of req) {
    body.length += chunk.length;
    body.hash.update(chunk);
  }
  return body;
}

async function answer(req, res) {
  const { handler, name, args } = match(req.url);
  count(req, name === 'healthz');
  res.setHeader('x-backend', NAME);
  const hasBody = 'transfer-encoding' in req.headers || Number(req.headers['content-length']) > 0;
  const body = hasBody || handler === whoami ? await readBody(req) : null;
  await handler(req, res, args, body);
}

function onRequest(req, res) {
  answer(req, res).catch(() => req.socket.destroy()); // the client left, or the body was cut short
}

const webSockets = new WebSocketServer({ noServer: true });
webSockets.on('headers', (headers) => headers.push(`x-backend: ${NAME}`));

function onUpgrade(req, socket, head) {
  socket.on('error', () => socket.destroy());
  if (req.url.split('?', 1)[0].split('/').at(-1) === 'ws') {
    count(req, false);
    webSockets.handleUpgrade(req, socket, head, (ws) => {
      ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
      ws.on('error', () => ws.terminate());
    });
    return;
  }
  // RFC 9110, 7.8: a server may ignore Upgrade. Node's parser has let go of the connection here,
  // so it ends after this answer.
  const res = new ServerResponse(req);
  res.shouldKeepAlive = false;
  res.assignSocket(socket);
  res.on('finish', () => socket.end());
  onRequest(req, res);
}

/** Node's own answers to what its parser refuses, with our header. */
function onClientError(error, socket) {
  const codes = { HPE_HEADER_OVERFLOW: 431, HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
    ERR_HTTP_REQUEST_TIMEOUT: 408 };
  const code = codes[error.code] ?? 400;
  if (!socket.writable || socket._httpMessage?._headerSent) {
    socket.destroy(error);
    return;
  }
  socket.end(`HTTP/1.1 ${code} ${STATUS_CODES[code]}\r\nx-backend: ${NAME}\r\n`
    + 'Connection: close\r\n\r\n');
}

for (const port of PORTS) {
  const server = createServer(onRequest);
  server.on('connection', () => seen.connections++);
  server.on('upgrade', onUpgrade);
  server.on('clientError', onClientError);
  server.requestTimeout = 0; // a large body may take its time on a bad wire
  if (KEEPALIVE_MS !== undefined) server.keepAliveTimeout = Number(KEEPALIVE_MS);
  server.listen(port, HOST, () => console.log(`${NAME} listens on [${HOST}]:${port}`));
}

process.on('SIGTERM', () => process.exit(0));
process.on('SIGINT', () => process.exit(0));

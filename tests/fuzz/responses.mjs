// SPDX-License-Identifier: GPL-2.0-or-later
// Seeded generator of responses for differential.mjs: what one leg sends, several responses, most of
// them valid, then mutated. A case's first byte says which of the requests were HEAD.
import { chunks, CODINGS, LENGTHS, mutate, ODD_FRAMING, pick } from './requests.mjs';

const STATUSES = [
  '200 OK', '200 OK', '200 OK', '200 OK', '404 Not Found', '301 Moved Permanently', '204 No Content',
  '304 Not Modified', '500 Internal Server Error', '200 ', '206 Partial Content', '205 Reset Content',
  '418 I\'m a teapot', '599 x', '999 x', '200',
];
const INTERIM = ['100 Continue', '103 Early Hints', '102 Processing', '199 x'];
const LINES = [
  'Date: Thu, 01 Jan 1970 00:00:00 GMT', 'Content-Type: text/html; charset=utf-8', 'ETag: "x"',
  'Connection: keep-alive', 'Connection: close', 'Connection: Keep-Alive', 'Connection: close, x',
  'Connection: x,\tclose', 'Connection: keep-alive, close', 'Connection: upgrade',
  'Upgrade: websocket', 'Keep-Alive: timeout=5', 'X-Powered-By: Express', 'X-Empty:',
  'X-Utf: \xc3\xa9', 'Set-Cookie: a=b; Path=/; HttpOnly', 'Vary: Accept-Encoding',
  'Proxy-Connection: close', 'Link: </a.css>; rel=preload', 'Trailer: x', 'X-Tab:\ta\tb\t',
];
const BODY_NONE = 0; // a head that a HEAD request, 204 or 304 asks for; else until the end

function framed(rnd, lines) {
  const add = (line) => lines.splice(rnd(lines.length + 1), 0, line);
  switch (rnd(8)) {
    case BODY_NONE:
      return '';
    case 1:
      add(pick(rnd, ODD_FRAMING));
      return rnd(2) ? chunks(rnd) : 'hello';
    case 2:
      add(pick(rnd, [...LENGTHS, ...CODINGS]));
      add(pick(rnd, [...LENGTHS, ...CODINGS]));
      return rnd(2) ? chunks(rnd) : 'hello';
    case 3:
    case 4:
      add(pick(rnd, CODINGS));
      return chunks(rnd);
    case 5:
      add('Content-Length: 0');
      return '';
    default:
      add(rnd(4) ? 'Content-Length: 5' : pick(rnd, LENGTHS));
      return 'hello';
  }
}

function response(rnd, wasHead) {
  const version = rnd(16) ? 'HTTP/1.1' : pick(rnd, ['HTTP/1.0', 'HTTP/1.2', 'HTTP/2.0', 'http/1.1']);
  const isInterim = !rnd(8);
  const status = isInterim ? pick(rnd, INTERIM) : rnd(40) ? pick(rnd, STATUSES) : '101 Switching';
  const lines = Array.from({ length: rnd(4) }, () => pick(rnd, LINES));
  const body = isInterim && rnd(8) ? '' : framed(rnd, lines);
  const head = [`${version} ${status}`, ...lines, '', ''].join('\r\n');
  const isEmpty = wasHead || status.startsWith('204') || status.startsWith('304');
  const final = head + (isEmpty && rnd(8) ? '' : body);
  return isInterim ? final + response(rnd, wasHead) : final;
}

// One byte of which requests were HEAD, and the bytes that a backend sends.
export function makeResponses(rnd) {
  const mask = rnd(3) ? 0 : rnd(256);
  let text = '';
  let n = 0;
  do {
    text += response(rnd, mask >> n++ & 1);
  } while (rnd(3));
  for (let m = pick(rnd, [0, 0, 1, 1, 1, 2, 3]); m > 0; m--) {
    text = mutate(rnd, text);
  }
  return Buffer.concat([Buffer.from([mask]), Buffer.from(text, 'latin1')]);
}

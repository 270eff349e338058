// SPDX-License-Identifier: GPL-2.0-or-later
// Seeded generator of requests for differential.mjs: connections with one or more requests, most of
// them valid, then mutated; and what responses.mjs shares with it. The same seed makes the same cases, whatever the Node.js version.

import { readFileSync } from 'node:fs';
import process from 'node:process';

// xorshift32. Returns a function of n with values from 0 to n - 1.
export function random(seed) {
  let x = seed >>> 0 || 1;
  return (n) => {
    x ^= x << 13;
    x >>>= 0;
    x ^= x >>> 17;
    x ^= x << 5;
    x >>>= 0;
    return x % n;
  };
}

export const pick = (rnd, list) => list[rnd(list.length)];

const TARGETS = [
  '/', '/hit', '/a/b?c=d', '/%2e%2e/x', '/a//b', '/./a', '/..', '*', 'http://gw.test/hit',
  'http://gw.test', 'HTTP://gw.test:80/?x', 'https://gw.test/', 'gw.test:80', '/a\\b', '/a;b',
  '/\xe9', '/a#b', '/?a=/../', 'http://u@gw.test/', 'http://[::1]:80/', '/' + 'x'.repeat(70),
  '//gw.test/',
];
const METHODS = [
  'GET', 'GET', 'GET', 'HEAD', 'POST', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'CONNECT',
  'TRACE', 'PROPFIND', 'M-SEARCH', 'get', 'PURGE', 'QUERY', 'SOURCE', 'PRI',
];
const VERSIONS = [
  'HTTP/1.1', 'HTTP/1.0', 'HTTP/1.0', 'HTTP/1.2', 'HTTP/2.0', 'HTTP/0.9',
];
const HOSTS = [
  'gw.test', 'gw.test:80', 'GW.Test', '[::1]:80', 'gw.test.', '', 'a,b', 'a b',
];
const LINES = [
  'Connection: keep-alive', 'Connection: close', 'Connection: Keep-Alive, Upgrade',
  'Connection: close, keep-alive', 'Connection: x,close ,', 'Upgrade: websocket',
  'Expect: 100-continue', 'Accept-Encoding: gzip, br', 'Cookie: a=b; c=d', 'X-Tab:\ta\tb\t',
  'X-Empty:', 'X-Utf: \xc3\xa9', 'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36',
  'If-None-Match: "x"', 'Range: bytes=0-1', 'X-Forwarded-For: 1.2.3.4',
  'Proxy-Connection: keep-alive', 'Trailer: x', 'Keep-Alive: timeout=5', 'X1-9_z~: 1',
  '!#$%&\'*+.^_`|~: 1', 'TE: trailers', 'Content-Type: text/plain', 'sec-ch-ua-mobile: ?0',
  'Upgrade-Insecure-Requests: 1', 'Sec-Fetch-Site: none', 'Accept-Language: en-US,en;q=0.9',
];
export const LENGTHS = [
  'Content-Length: 5', 'content-length:5', 'Content-Length: 0', 'CONTENT-LENGTH:\t5 ',
];
export const CODINGS = [
  'Transfer-Encoding: chunked', 'transfer-encoding:\tCHUNKED ', 'Transfer-Encoding:chunked',
];
export const ODD_FRAMING = [
  'Content-Length: 05', 'Content-Length: 5, 5', 'Content-Length: +5', 'Content_Length: 3',
  'Content-Length: 18446744073709551617', 'Content-Length: 5\t',
  'Transfer-Encoding: gzip, chunked', 'Transfer-Encoding: chunked, gzip',
  'Transfer-Encoding: identity', 'Transfer-Encoding : chunked', 'Transfer_Encoding: chunked',
  'Transfer-Encoding: chunked\t', 'Transfer-Encoding: chunked,', 'Transfer-Encoding: "chunked"',
  'Transfer-Encoding:', 'Content-Length:',
];
const SIZES = [
  '5', '05', 'A', 'a', '0', '00', 'ffffffffffffffff', '10', '5;x', '5;x=y', '5;x="q;r"', '5 ',
  ' 5', '0x5', '5;', '5\t', '-5', '', '5 ;x', '000000000000000000005', '7fffffffffffffff',
];
const CHUNK_SIZES = { 5: 5, '05': 5, A: 10, a: 10, 10: 16, '5;x': 5, '5;x=y': 5, '5;x="q;r"': 5 };
const TRAILERS = [
  '', '', '', 'x: y\r\n', 'x: y\r\nz: \t\r\n', 'Content-Length: 3\r\n', 'x\r\n', ' x: y\r\n',
  'x:\r\n y\r\n', 'x: y\n',
];
const TOKENS = [
  '\r\n', '\n', '\r', '\0', ' ', '\t', ':', ',', ';', '\x7f', '\x0b', '\xff', '/', '?', '#', '%',
  '.', '\r\n ', '\r\n\r\n', 'chunked', 'Content-Length: 5\r\n', 'Transfer-Encoding: chunked\r\n',
  'Host: x\r\n', 'HTTP/1.1', 'GET / HTTP/1.1\r\n', '0\r\n\r\n', 'close', '"', '[', ']', '@', '-',
  '_', '0', '1', 'A',
];

export function chunks(rnd) {
  let out = '';
  for (let n = rnd(4); n > 0; n--) {
    const size = rnd(5) ? '5' : pick(rnd, SIZES);
    out += size + '\r\n' + 'x'.repeat(CHUNK_SIZES[size] ?? 5) + '\r\n';
  }
  return out + '0\r\n' + pick(rnd, TRAILERS) + '\r\n';
}

// CORPUS: a file of JSON lines with request_b64, which are mixed in where it is given.
const corpus = process.env.CORPUS === undefined ? [] :
  readFileSync(process.env.CORPUS, 'utf8').split('\n').filter(Boolean)
    .map((line) => Buffer.from(JSON.parse(line).request_b64, 'base64').toString('latin1'));

function request(rnd) {
  if (corpus.length && !rnd(4)) {
    return pick(rnd, corpus);
  }
  const lines = Array.from({ length: rnd(5) }, () => pick(rnd, LINES));
  const add = (line) => lines.splice(rnd(lines.length + 1), 0, line);
  let body = '';
  switch (rnd(8)) {
    case 0:
    case 1:
      add(pick(rnd, LENGTHS));
      body = 'hello';
      break;
    case 2:
    case 3:
      add(pick(rnd, CODINGS));
      body = chunks(rnd);
      break;
    case 4:
      add(pick(rnd, rnd(2) ? ODD_FRAMING : [...LENGTHS, ...CODINGS]));
      add(pick(rnd, [...LENGTHS, ...CODINGS]));
      body = rnd(2) ? chunks(rnd) : 'hello';
      break;
  }
  if (rnd(32)) {
    const name = rnd(8) ? 'Host: ' : pick(rnd, ['host:', 'HOST:\t', 'Host :']);
    add(name + (rnd(6) ? HOSTS[rnd(4)] : pick(rnd, HOSTS)));
  }
  const target = rnd(3) ? TARGETS[rnd(3)] : pick(rnd, TARGETS);
  const version = rnd(8) ? 'HTTP/1.1' : pick(rnd, VERSIONS);
  const empty = rnd(16) ? '' : '\r\n'.repeat(rnd(4));
  const head = [`${pick(rnd, METHODS)} ${target} ${version}`, ...lines, '', ''].join('\r\n');
  return empty + head + body;
}

export function mutate(rnd, text) {
  const at = rnd(text.length + 1);
  switch (rnd(6)) {
    case 0:
      return text.slice(0, at) + pick(rnd, TOKENS) + text.slice(at);
    case 1:
      return text.slice(0, at) + text.slice(at + 1 + rnd(3));
    case 2:
      return text.slice(0, at) + String.fromCharCode(rnd(256)) + text.slice(at + 1);
    case 3: {
      const from = rnd(text.length + 1);
      return text.slice(0, at) + text.slice(from, from + rnd(40)) + text.slice(at);
    }
    case 4:
      return text.slice(0, at) + pick(rnd, TOKENS) + text.slice(at + 1);
    default:
      return text.slice(0, at) + text.slice(at, at + 12).toUpperCase() + text.slice(at + 12);
  }
}

// The bytes that one client sends.
export function makeRequests(rnd) {
  let text = request(rnd);
  while (!rnd(3)) {
    text += request(rnd);
  }
  for (let n = pick(rnd, [0, 0, 1, 1, 1, 2, 3]); n > 0; n--) {
    text = mutate(rnd, text);
  }
  return Buffer.from(text, 'latin1');
}

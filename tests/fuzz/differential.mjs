// SPDX-License-Identifier: GPL-2.0-or-later
// Differential fuzzing of http_request.h and http_chunked.h against llhttp as it is inside this
// Node.js. Mutated requests go to the native parser (http_cases.c) and, cut where that one says
// that heads and bodies end, to Node's HTTPParser.
//
// usage: node differential.mjs CASES_BINARY [COUNT] [SEED]
// A disagreement is a request that both take, with another method, target, Host, persistence or end;
// one that we wait for more bytes of and Node has complete, is one too. Exit status 1 then.
// Requests that only one of them refuses are counted by reason: they are no risk, but worth a look.
import { spawnSync } from 'node:child_process';
import process from 'node:process';

process.removeAllListeners('warning');
process.noDeprecation = true;
const { HTTPParser, methods } = process.binding('http_parser');

const BATCH = 20000;
const SHOWN = 20; // disagreements printed
const RESULT = ['incomplete', 'complete', 'bad', 'body goes on', 'body bad', 'tunnel'];
const OURS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'CONNECT', 'TRACE'];
const FLAG_KEEP_ALIVE = 1 << 0;
const FLAG_BODY = 1 << 7;
const FLAG_HOST_SEEN = 1 << 25;
const FIELDS = 12; // numbers a message, see http_cases.c

// xorshift32: the same cases for the same seed, whatever the Node version.
function random(seed) {
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

const pick = (rnd, list) => list[rnd(list.length)];

const TARGETS = ['/', '/hit', '/a/b?c=d', '/%2e%2e/x', '/a//b', '/./a', '/..', '*', 'http://gw.test/hit',
  'http://gw.test', 'HTTP://gw.test:80/?x', 'https://gw.test/', 'gw.test:80', '/a\\b', '/a;b', '/\xe9',
  '/a#b', '/?a=/../', 'http://u@gw.test/', 'http://[::1]:80/', '/' + 'x'.repeat(70), '//gw.test/'];
const METHODS = ['GET', 'GET', 'GET', 'HEAD', 'POST', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'CONNECT',
  'TRACE', 'PROPFIND', 'M-SEARCH', 'get', 'PURGE', 'QUERY', 'SOURCE', 'PRI'];
const VERSIONS = ['HTTP/1.1', 'HTTP/1.0', 'HTTP/1.0', 'HTTP/1.2', 'HTTP/2.0', 'HTTP/0.9'];
const HOSTS = ['gw.test', 'gw.test:80', 'GW.Test', '[::1]:80', 'gw.test.', '', 'a,b', 'a b'];
const LINES = ['Connection: keep-alive', 'Connection: close', 'Connection: Keep-Alive, Upgrade',
  'Connection: close, keep-alive', 'Connection: x,close ,', 'Upgrade: websocket', 'Expect: 100-continue',
  'Accept-Encoding: gzip, br', 'Cookie: a=b; c=d', 'X-Tab:\ta\tb\t', 'X-Empty:', 'X-Utf: \xc3\xa9',
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36', 'If-None-Match: "x"', 'Range: bytes=0-1',
  'X-Forwarded-For: 1.2.3.4', 'Proxy-Connection: keep-alive', 'Trailer: x', 'Keep-Alive: timeout=5',
  'X1-9_z~: 1', '!#$%&\'*+.^_`|~: 1', 'TE: trailers', 'Content-Type: text/plain', 'sec-ch-ua-mobile: ?0',
  'Upgrade-Insecure-Requests: 1', 'Sec-Fetch-Site: none', 'Accept-Language: en-US,en;q=0.9'];
const LENGTHS = ['Content-Length: 5', 'content-length:5', 'Content-Length: 0', 'CONTENT-LENGTH:\t5 '];
const CODINGS = ['Transfer-Encoding: chunked', 'transfer-encoding:\tCHUNKED ', 'Transfer-Encoding:chunked'];
const ODD_FRAMING = ['Content-Length: 05', 'Content-Length: 5, 5', 'Content-Length: +5', 'Content_Length: 3',
  'Content-Length: 18446744073709551617', 'Content-Length: 5\t', 'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: chunked, gzip', 'Transfer-Encoding: identity', 'Transfer-Encoding : chunked',
  'Transfer_Encoding: chunked', 'Transfer-Encoding: chunked\t', 'Transfer-Encoding: chunked,',
  'Transfer-Encoding: "chunked"', 'Transfer-Encoding:', 'Content-Length:'];
const SIZES = ['5', '05', 'A', 'a', '0', '00', 'ffffffffffffffff', '10', '5;x', '5;x=y', '5;x="q;r"', '5 ', ' 5',
  '0x5', '5;', '5\t', '-5', '', '5 ;x', '000000000000000000005', '7fffffffffffffff'];
const CHUNK_SIZES = { 5: 5, '05': 5, A: 10, a: 10, 10: 16, '5;x': 5, '5;x=y': 5, '5;x="q;r"': 5 };
const TRAILERS = ['', '', '', 'x: y\r\n', 'x: y\r\nz: \t\r\n', 'Content-Length: 3\r\n', 'x\r\n', ' x: y\r\n',
  'x:\r\n y\r\n', 'x: y\n'];
const TOKENS = ['\r\n', '\n', '\r', '\0', ' ', '\t', ':', ',', ';', '\x7f', '\x0b', '\xff', '/', '?', '#', '%', '.',
  '\r\n ', '\r\n\r\n', 'chunked', 'Content-Length: 5\r\n', 'Transfer-Encoding: chunked\r\n', 'Host: x\r\n',
  'HTTP/1.1', 'GET / HTTP/1.1\r\n', '0\r\n\r\n', 'close', '"', '[', ']', '@', '-', '_', '0', '1', 'A'];

function chunks(rnd) {
  let out = '';
  for (let n = rnd(4); n > 0; n--) {
    const size = rnd(5) ? '5' : pick(rnd, SIZES);
    out += size + '\r\n' + 'x'.repeat(CHUNK_SIZES[size] ?? 5) + '\r\n';
  }
  return out + '0\r\n' + pick(rnd, TRAILERS) + '\r\n';
}

function request(rnd) {
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
    add((rnd(8) ? 'Host: ' : pick(rnd, ['host:', 'HOST:\t', 'Host :'])) + (rnd(6) ? HOSTS[rnd(4)] : pick(rnd, HOSTS)));
  }
  const target = rnd(3) ? TARGETS[rnd(3)] : pick(rnd, TARGETS);
  const version = rnd(8) ? 'HTTP/1.1' : pick(rnd, VERSIONS);
  const empty = rnd(16) ? '' : '\r\n'.repeat(rnd(4));
  return `${empty}${pick(rnd, METHODS)} ${target} ${version}\r\n${lines.map((line) => line + '\r\n').join('')}\r\n` + body;
}

function mutate(rnd, text) {
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

function makeCase(rnd) {
  let text = request(rnd);
  while (!rnd(3)) {
    text += request(rnd);
  }
  for (let n = pick(rnd, [0, 0, 1, 1, 1, 2, 3]); n > 0; n--) {
    text = mutate(rnd, text);
  }
  return Buffer.from(text, 'latin1');
}

// Node's parser, fed piece by piece; what it reported is collected until taken.
class NodeSide {
  constructor() {
    const parser = new HTTPParser();
    this.parser = parser;
    parser.initialize(HTTPParser.REQUEST, {}, 1 << 20);
    parser[HTTPParser.kOnHeaders | 0] = (headers, url) => {
      this.headers.push(...headers);
      this.url += url;
    };
    parser[HTTPParser.kOnHeadersComplete | 0] = (major, minor, headers, method, url, _s, _m, upgrade, keepAlive) => {
      this.heads++;
      this.head = { minor, method: methods[method], upgrade, keepAlive };
      this.head.url = url === undefined ? this.url : url;
      this.head.headers = headers === undefined ? this.headers : headers;
      this.url = '';
      this.headers = [];
      return method === CONNECT ? 2 : 0;
    };
    parser[HTTPParser.kOnMessageComplete | 0] = () => {
      this.messages++;
      this.headers = []; // trailers came the same way
      this.url = '';
    };
    parser[HTTPParser.kOnBody | 0] = () => {};
    this.heads = 0;
    this.messages = 0;
    this.headers = [];
    this.url = '';
    this.error = '';
  }

  // False when the parser refused.
  feed(bytes) {
    if (!bytes.length) {
      return true;
    }
    const result = this.parser.execute(bytes);
    if (typeof result === 'object') {
      this.error = result.code;
      return false;
    }
    return true;
  }

  close() {
    this.parser.close?.();
  }
}

const CONNECT = methods.indexOf('CONNECT');
const counts = new Map();
let disagreements = 0;

const count = (what) => counts.set(what, (counts.get(what) ?? 0) + 1);

function disagree(what, data, detail) {
  disagreements++;
  count('DISAGREE ' + what);
  if (disagreements <= SHOWN) {
    console.log(`${what}: ${detail ?? ''}\n  ${JSON.stringify(data.toString('latin1'))}`);
  }
}

function hostOf(headers) {
  const found = [];
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i].toLowerCase() === 'host') {
      found.push(headers[i + 1]);
    }
  }
  return found.join('|');
}

// Compares what both say of one head. Returns the name of the difference.
function headDiffers(ours, head, data) {
  const text = (off, len) => data.toString('latin1', off, off + len);
  if (ours.method < OURS.length ? OURS[ours.method] !== head.method : OURS.includes(head.method)) {
    return 'method';
  }
  if (text(ours.targetOff, ours.targetLen) !== head.url && !/[^\x21-\x7e]/.test(head.url)) {
    return 'target';
  }
  if (ours.minor !== head.minor) {
    return 'version';
  }
  if (ours.flags & FLAG_HOST_SEEN && text(ours.hostOff, ours.hostLen) !== hostOf(head.headers) &&
      !/[^\x20-\x7e]/.test(hostOf(head.headers))) {
    return 'host';
  }
  // The other way round is the cautious one: we end connections that Node would keep.
  if (ours.flags & FLAG_KEEP_ALIVE && !head.keepAlive && !head.upgrade) {
    return 'persistence';
  }
  return '';
}

// Feeds one complete message of ours to Node, cut at its ends. False: stop with this case.
function compareMessage(node, ours, at, data) {
  const heads = node.heads;
  const messages = node.messages;
  const last = ours.head - 1;
  if (!node.feed(data.subarray(at, last))) {
    return refused(node, ours, data);
  }
  if (node.heads !== heads) {
    disagree('head ends earlier', data, `at ${at}`);
    return false;
  }
  if (!node.feed(data.subarray(last, last + 1)) && node.heads === heads) {
    return refused(node, ours, data);
  }
  if (node.heads !== heads + 1) {
    disagree('head ends later', data, `at ${at}`);
    return false;
  }
  const differs = headDiffers(ours, node.head, data);
  if (differs) {
    disagree(differs, data, JSON.stringify([ours, node.head]));
    return false;
  }
  if (RESULT[ours.result] === 'tunnel' || node.head.upgrade) {
    count('tunnels and upgrades');
    return false;
  }
  if (!(ours.flags & FLAG_BODY)) {
    return ended(node, messages + 1, data, 'message without a body');
  }
  const end = RESULT[ours.result] === 'complete' ? ours.body - 1 : ours.body;
  if (!node.feed(data.subarray(ours.head, end))) {
    return refused(node, ours, data);
  }
  if (!ended(node, messages, data, 'body ends earlier')) {
    return false;
  }
  if (RESULT[ours.result] !== 'complete') {
    count('we: ' + RESULT[ours.result]);
    return false;
  }
  if (!node.feed(data.subarray(end, end + 1))) {
    return refused(node, ours, data);
  }
  return ended(node, messages + 1, data, 'body ends later');
}

function ended(node, want, data, what) {
  if (node.messages === want) {
    return true;
  }
  disagree(what, data);
  return false;
}

function refused(node, ours, data) {
  count('only Node refuses: ' + node.error);
  if (process.env.SHOW && node.error.includes(process.env.SHOW)) {
    console.log(node.error, JSON.stringify(data.toString('latin1')));
  }
  return false;
}

function compareCase(data, numbers) {
  const node = new NodeSide();
  let at = 0;
  for (let i = 0; i < numbers.length; i += FIELDS) {
    const [result, reason, method, minor, flags, head, targetOff, targetLen, hostOff, hostLen, end] =
      numbers.slice(i, i + FIELDS);
    const ours = { result, method, minor, flags, head, targetOff, targetLen, hostOff, hostLen, body: end };
    if (result === 0 || result === 2) {
      const heads = node.heads;
      const fine = node.feed(data.subarray(at));
      if (result === 0 && node.heads !== heads) {
        disagree('Node has a head that we wait for', data, `at ${at}`);
      } else if (result === 2 && fine && node.heads !== heads) {
        count(`only we refuse: reason ${reason}`);
      } else {
        count(result ? 'both refuse, or Node waits' : 'incomplete');
      }
      break;
    }
    count('messages complete');
    if (!compareMessage(node, ours, at, data)) {
      break;
    }
    at = end;
  }
  node.close();
}

function runBatch(binary, cases) {
  const parts = [];
  for (const data of cases) {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(data.length);
    parts.push(length, data);
  }
  const run = spawnSync(binary, { input: Buffer.concat(parts), maxBuffer: 1 << 28 });
  if (run.status !== 0) {
    throw new Error(`${binary} failed: ${run.stderr}`);
  }
  const lines = run.stdout.toString().split('\n');
  cases.forEach((data, i) => compareCase(data, lines[i].split(' ').filter(Boolean).map(Number)));
}

const [binary, total = '200000', seed = '1'] = process.argv.slice(2);
if (!binary) {
  console.error('usage: node differential.mjs CASES_BINARY [COUNT] [SEED]');
  process.exit(2);
}
const rnd = random(Number(seed));
for (let done = 0; done < Number(total); done += BATCH) {
  const n = Math.min(BATCH, Number(total) - done);
  runBatch(binary, Array.from({ length: n }, () => makeCase(rnd)));
}
for (const [what, n] of [...counts].sort((a, b) => b[1] - a[1])) {
  console.log(String(n).padStart(9), what);
}
console.log(`Node ${process.version}, llhttp ${process.versions.llhttp}: ${total} cases, seed ${seed}, ${disagreements} disagreements`);
process.exit(disagreements ? 1 : 0);

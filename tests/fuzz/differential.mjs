// SPDX-License-Identifier: GPL-2.0-or-later
// Differential fuzzing of http_request.h and http_chunked.h against llhttp as it is inside this
// Node.js. Mutated requests go to the native parser (http_cases.c) and, cut where that one says
// that heads and bodies end, to Node's HTTPParser.
//
// usage: node differential.mjs CASES_BINARY [COUNT] [SEED]
// A disagreement is a request that both take, with another method, target, Host, persistence or
// end; and one that Node has complete while we wait for more of it. Exit status 1 then.
// Requests that only one of them refuses are counted by reason: they are no risk, but worth a look.
import { spawnSync } from 'node:child_process';
import process from 'node:process';

import { makeCase, random } from './requests.mjs';

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
    parser[HTTPParser.kOnHeadersComplete | 0] = (...args) => {
      const [, minor, headers, method, url, , , upgrade, keepAlive] = args;
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
    return ended(node, messages + 1, data, 'message without a body') && persists(ours);
  }
  if (RESULT[ours.result] === 'body bad') {
    count('only we refuse: body');
    return false;
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
  return ended(node, messages + 1, data, 'body ends later') && persists(ours);
}

// What follows the last request of a connection is nobody's: llhttp 6 drops it, later ones refuse.
function persists(ours) {
  return (ours.flags & FLAG_KEEP_ALIVE) !== 0;
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
    const group = numbers.slice(i, i + FIELDS);
    const [result, reason, method, minor, flags, head, targetOff, targetLen] = group;
    const [hostOff, hostLen, body] = group.slice(8);
    const ours = {
      result, method, minor, flags, head, targetOff, targetLen, hostOff, hostLen, body,
    };
    if (result === 0 || result === 2) {
      const heads = node.heads;
      const fine = node.feed(data.subarray(at));
      if (result === 0 && node.heads !== heads) {
        disagree('Node has a head that we wait for', data, `at ${at}`);
      } else if (result === 2 && fine && node.heads !== heads) {
        count(`only we refuse: ${reasons[reason]}`);
      } else {
        count(result ? 'both refuse, or Node waits' : 'incomplete');
      }
      break;
    }
    count('messages complete');
    if (!compareMessage(node, ours, at, data)) {
      break;
    }
    at = body;
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
const reasons = spawnSync(binary, ['--reasons']).stdout.toString().split('\n');
const rnd = random(Number(seed));
for (let done = 0; done < Number(total); done += BATCH) {
  const n = Math.min(BATCH, Number(total) - done);
  runBatch(binary, Array.from({ length: n }, () => makeCase(rnd)));
}
for (const [what, n] of [...counts].sort((a, b) => b[1] - a[1])) {
  console.log(String(n).padStart(9), what);
}
const versions = `Node ${process.version}, llhttp ${process.versions.llhttp}`;
console.log(`${versions}: ${total} cases, seed ${seed}, ${disagreements} disagreements`);
process.exit(disagreements ? 1 : 0);

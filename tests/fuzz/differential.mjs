// SPDX-License-Identifier: GPL-2.0-or-later
// Differential fuzzing of http_request.h, http_response.h and http_chunked.h against llhttp as it is
// inside this Node.js. Mutated messages go to the native parsers (http_cases.c) and, cut where those
// say that heads and bodies end, to Node's HTTPParser.
//
// usage: node differential.mjs requests|responses CASES_BINARY [COUNT] [SEED]
// A disagreement is a message that both take, with another method, target, Host, status, persistence
// or end; and one that Node has complete while we wait for more of it. Exit status 1 then.
// Messages that only one of them refuses are counted by reason: they are no risk, but worth a look.
import { spawnSync } from 'node:child_process';
import process from 'node:process';

import {
  compareMessage, compareUnfinished, count, counts, disagreements, NodeSide, RESULT,
} from './node_side.mjs';
import { makeRequests, random } from './requests.mjs';
import { makeResponses } from './responses.mjs';

const BATCH = 20000;
const OURS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'CONNECT', 'TRACE'];
const KEEP_ALIVE = 1 << 0; // enum http_request_flag
const HAS_BODY = 1 << 7;
const HOST_SEEN = 1 << 25;
const CLOSE = 1 << 0; // enum http_response_flag
const HAS_LENGTH = 1 << 2;

function hostOf(headers) {
  const found = [];
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i].toLowerCase() === 'host') {
      found.push(headers[i + 1]);
    }
  }
  return found.join('|');
}

// Compares what both say of one request's head. Returns the name of the difference.
function requestDiffers(ours, head, data) {
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
  if (ours.flags & HOST_SEEN && text(ours.hostOff, ours.hostLen) !== hostOf(head.headers) &&
      !/[^\x20-\x7e]/.test(hostOf(head.headers))) {
    return 'host';
  }
  // The other way round is the cautious one: we end connections that Node would keep.
  if (ours.persists && !head.keepAlive && !head.upgrade) {
    return 'persistence';
  }
  return '';
}

// llhttp tells persistence before it knows that the request was HEAD.
function responseDiffers(ours, head) {
  if (ours.status !== head.status) {
    return 'status';
  }
  if (ours.minor !== head.minor) {
    return 'version';
  }
  const isKnown = RESULT[ours.result] !== 'until close' && !head.wasHead;
  return isKnown && ours.persists && !head.keepAlive && !head.upgrade ? 'persistence' : '';
}

const KINDS = {
  requests: {
    make: makeRequests,
    option: [],
    fields: 12, // numbers a message, see http_cases.c
    skipped: 0, // bytes of the case in front of the first message
    differs: requestDiffers,
    read([result, reason, method, minor, flags, head, targetOff, targetLen, ...more]) {
      const [hostOff, hostLen, body] = more;
      const persists = (flags & KEEP_ALIVE) !== 0;
      const hasBody = (flags & HAS_BODY) !== 0;
      return {
        result, reason, method, minor, flags, head, targetOff, targetLen, hostOff, hostLen, body,
        persists, hasBody,
      };
    },
  },
  responses: {
    make: makeResponses,
    option: ['--responses'],
    fields: 7,
    skipped: 1,
    differs: responseDiffers,
    read([result, reason, status, minor, flags, head, body]) {
      const persists = (flags & CLOSE) === 0;
      const hasBody = body !== head || result > 2;
      const hasLength = (flags & HAS_LENGTH) !== 0;
      return { result, reason, status, minor, flags, head, body, persists, hasBody, hasLength };
    },
  },
};

function compareCase(kind, data, numbers) {
  const node = new NodeSide(kind === KINDS.responses, data[0]);
  let at = kind.skipped;
  for (let i = 0; i < numbers.length; i += kind.fields) {
    const ours = kind.read(numbers.slice(i, i + kind.fields));
    if (RESULT[ours.result] === 'incomplete' || RESULT[ours.result] === 'bad') {
      compareUnfinished(node, ours, at, data, reasons);
      break;
    }
    count('messages complete');
    if (!compareMessage(node, ours, at, data, kind.differs)) {
      break;
    }
    at = ours.body;
  }
  node.close();
}

function runBatch(kind, cases) {
  const parts = [];
  for (const data of cases) {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(data.length);
    parts.push(length, data);
  }
  const input = Buffer.concat(parts);
  const run = spawnSync(binary, kind.option, { input, maxBuffer: 1 << 28 });
  if (run.status !== 0) {
    const lines = run.stdout.toString().split('\n').length - 1;
    throw new Error(`${binary} failed: ${run.stderr} near case ${lines} of the batch`);
  }
  const lines = run.stdout.toString().split('\n');
  cases.forEach((data, i) => {
    compareCase(kind, data, lines[i].split(' ').filter(Boolean).map(Number));
  });
}

const [name, binary, total = '200000', seed = '1'] = process.argv.slice(2);
const chosen = KINDS[name];
if (!chosen || !binary) {
  console.error('usage: node differential.mjs requests|responses CASES_BINARY [COUNT] [SEED]');
  process.exit(2);
}
const reasons = spawnSync(binary, ['--reasons']).stdout.toString().split('\n');
const rnd = random(Number(seed));
for (let done = 0; done < Number(total); done += BATCH) {
  const n = Math.min(BATCH, Number(total) - done);
  runBatch(chosen, Array.from({ length: n }, () => chosen.make(rnd)));
}
for (const [what, n] of [...counts].sort((a, b) => b[1] - a[1])) {
  console.log(String(n).padStart(9), what);
}
const versions = `Node ${process.version}, llhttp ${process.versions.llhttp}`;
console.log(`${versions}: ${total} ${name}, seed ${seed}, ${disagreements} disagreements`);
process.exit(disagreements ? 1 : 0);

// SPDX-License-Identifier: GPL-2.0-or-later
// llhttp as it is inside this Node.js, fed piece by piece, and the walk through one connection that
// holds it against what the native parsers say (http_cases.c). For differential.mjs.
import process from 'node:process';

process.removeAllListeners('warning');
process.noDeprecation = true;
const { HTTPParser, methods } = process.binding('http_parser');

export const RESULT = [
  'incomplete', 'complete', 'bad', 'body goes on', 'body bad', 'tunnel', 'until close',
  'not followed',
];
const SHOWN = Number(process.env.SHOWN ?? 20); // disagreements printed
const CONNECT = methods.indexOf('CONNECT');
const SKIP_BODY = 1;
const TUNNEL = 2;

export const counts = new Map();
export let disagreements = 0;

export function count(what) {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

export function disagree(what, data, detail = '') {
  disagreements++;
  count('DISAGREE ' + what);
  if (disagreements <= SHOWN) {
    console.log(`${what}: ${detail}\n  ${JSON.stringify(data.toString('latin1'))}`);
  }
}

// Node's parser; what it reported is collected until taken. For responses, `headMask` tells which
// of the requests were HEAD: a bit each, the first one lowest.
export class NodeSide {
  constructor(isResponse, headMask = 0) {
    const parser = new HTTPParser();
    this.parser = parser;
    this.kind = isResponse ? HTTPParser.RESPONSE : HTTPParser.REQUEST;
    this.initialize();
    parser[HTTPParser.kOnHeaders | 0] = (headers, url) => {
      this.headers.push(...headers);
      this.url += url;
    };
    parser[HTTPParser.kOnHeadersComplete | 0] = (...args) => {
      const [, minor, headers, method, url, status, , upgrade, keepAlive] = args;
      this.heads++;
      this.head = { minor, method: methods[method], status, upgrade, keepAlive };
      this.head.url = url === undefined ? this.url : url;
      this.head.headers = headers === undefined ? this.headers : headers;
      this.url = '';
      this.headers = [];
      if (!isResponse) {
        return method === CONNECT ? TUNNEL : 0;
      }
      if (status < 200) {
        return SKIP_BODY; // as Node's own client does
      }
      this.head.wasHead = headMask & 1;
      headMask >>= 1;
      return this.head.wasHead ? SKIP_BODY : 0;
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

  // Node's client does so for each response. Of all that a parser could keep, llhttp 6 keeps the
  // length of a body that was skipped, so this is done after those and nowhere else.
  initialize() {
    this.parser.initialize(this.kind, {}, 1 << 20);
  }

  // The connection's end.
  finish() {
    this.parser.finish();
  }

  close() {
    this.parser.close?.();
  }
}

function ended(node, want, data, what) {
  if (node.messages === want) {
    return true;
  }
  disagree(what, data);
  return false;
}

// What Node may refuse of requests that the gateway forwards: methods that it does not know. They are
// answered with 400 and end the connection.
const MAY_REFUSE = ['HPE_INVALID_METHOD'];

function refused(node, data) {
  if (node.kind === HTTPParser.REQUEST && !MAY_REFUSE.includes(node.error)) {
    disagree(`Node refuses: ${node.error}`, data);
  }
  count('only Node refuses: ' + node.error);
  if (process.env.SHOW && node.error.includes(process.env.SHOW)) {
    console.log(node.error, JSON.stringify(data.toString('latin1')));
  }
  return false;
}

// The end of a head of ours, `at` its beginning. False: stop with this case.
function compareHead(node, ours, at, data, differs) {
  const heads = node.heads;
  const last = ours.head - 1;
  if (!node.feed(data.subarray(at, last))) {
    return refused(node, data);
  }
  if (node.heads !== heads) {
    disagree('head ends earlier', data, `at ${at}`);
    return false;
  }
  if (!node.feed(data.subarray(last, last + 1)) && node.heads === heads) {
    return refused(node, data);
  }
  if (node.heads !== heads + 1) {
    disagree('head ends later', data, `at ${at}`);
    return false;
  }
  const difference = differs(ours, node.head, data);
  if (difference) {
    disagree(difference, data, JSON.stringify([ours, node.head]));
  }
  return !difference;
}

// The end of a body of ours. False: stop with this case.
function compareBody(node, ours, messages, data) {
  const result = RESULT[ours.result];
  if (result === 'body bad') {
    count('only we refuse: body');
    return false;
  }
  const end = result === 'complete' ? ours.body - 1 : ours.body;
  if (!node.feed(data.subarray(ours.head, end))) {
    return refused(node, data);
  }
  if (!ended(node, messages, data, 'body ends earlier')) {
    return false;
  }
  if (result !== 'complete') {
    count('we: ' + result);
    return false;
  }
  if (!node.feed(data.subarray(end, end + 1))) {
    return refused(node, data);
  }
  return ended(node, messages + 1, data, 'body ends later');
}

// The body goes on until the connection ends.
function compareUntilClose(node, ours, messages, data) {
  if (!node.feed(data.subarray(ours.head))) {
    return refused(node, data);
  }
  if (ended(node, messages, data, 'body ends before the connection')) {
    node.finish();
    ended(node, messages + 1, data, 'body does not end with the connection');
    count('until close');
  }
  return false;
}

// llhttp 6 and 8 wait for the body when a 304 tells the length that a 200 would have had (RFC 9110,
// 8.6): the one known difference, in which the reading of the RFC is the gateway's.
function lengthOfUnsent(ours, head) {
  return ours.status === 304 && !head.wasHead && ours.hasLength;
}

// Feeds one message of ours that begins at `at` to Node, cut at its ends; `differs` compares heads
// and names the difference. False: stop with this case.
export function compareMessage(node, ours, at, data, differs) {
  const messages = node.messages;
  if (RESULT[ours.result] === 'not followed') {
    count('we: not followed');
    return false;
  }
  if (!compareHead(node, ours, at, data, differs)) {
    return false;
  }
  if (RESULT[ours.result] === 'tunnel' || node.head.upgrade) {
    count('tunnels and upgrades');
    return false;
  }
  if (RESULT[ours.result] === 'until close') {
    return compareUntilClose(node, ours, messages, data);
  }
  if (lengthOfUnsent(ours, node.head)) {
    count('304 with the length of a body that is not sent');
    return false;
  }
  const fine = ours.hasBody ? compareBody(node, ours, messages, data) :
                              ended(node, messages + 1, data, 'message without a body');
  if (node.head.wasHead) {
    node.initialize();
  }
  // What follows the last message of a connection is nobody's: llhttp 6 drops it, later ones refuse.
  return fine && ours.persists;
}

// What we have no head for: Node must not have one either, unless we refuse it.
export function compareUnfinished(node, ours, at, data, reasons) {
  const heads = node.heads;
  const fine = node.feed(data.subarray(at));
  if (RESULT[ours.result] === 'incomplete' && node.heads !== heads) {
    disagree('Node has a head that we wait for', data, `at ${at}`);
  } else if (RESULT[ours.result] === 'bad' && fine && node.heads !== heads) {
    count(`only we refuse: ${reasons[ours.reason]}`);
  } else {
    count(RESULT[ours.result] === 'bad' ? 'both refuse, or Node waits' : 'incomplete');
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later
//
// Node's clients for mix_clients.py: mix_client.mjs agent|fetch HOST, a plan as JSON on stdin. The
// connections of the plan run side by side; prints the responses in the plan's order as JSON.

import http from 'node:http';
import { text } from 'node:stream/consumers';

const TIMEOUT_MS = 60_000;
const TRAP = '\r\n\r\nGET /c/1024 HTTP/1.1\r\nHost: lab.example\r\n\r\n';
const BLOCK = Buffer.concat([
  Buffer.from(TRAP), Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
]);
const [client, host] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });

/** The same bytes as body() of mix_plan.py. */
function bodyOf(size) {
  const whole = Buffer.alloc(size);
  const block = Buffer.concat(Array.from({ length: Math.floor(65536 / 300) + 1 }, () => BLOCK));
  for (let at = 0; at < size; at += block.length) block.copy(whole, at);
  return whole;
}

function pieces(data) {
  const parts = [];
  for (let at = 0; at < data.length; at += 5000) parts.push(data.subarray(at, at + 5000));
  return parts;
}

function byAgent({ method, target, size, framing }) {
  return new Promise((resolve, reject) => {
    const headers = { host: 'lab.example' };
    if (size !== null && framing === 'length') headers['content-length'] = size;
    const options = { agent, host, path: target, method, headers, timeout: TIMEOUT_MS };
    const req = http.request(options, (res) => {
      const parts = [];
      res.on('data', (part) => parts.push(part));
      res.on('error', reject);
      res.on('end', () => resolve({
        status: res.statusCode,
        headers: Object.entries(res.headers).map(([name, value]) => [name, String(value)]),
        body: Buffer.concat(parts).toString('base64'),
      }));
    });
    req.on('timeout', () => req.destroy(new Error(`${target}: no answer in time`)));
    req.on('error', reject);
    if (size !== null) pieces(bodyOf(size)).forEach((part) => req.write(part));
    req.end();
  });
}

async function byFetch({ method, target, size, framing }) {
  const options = { method, signal: AbortSignal.timeout(TIMEOUT_MS) };
  if (size !== null && framing === 'length') {
    options.body = bodyOf(size);
  } else if (size !== null) {
    options.body = new ReadableStream({
      start(controller) {
        pieces(bodyOf(size)).forEach((part) => controller.enqueue(new Uint8Array(part)));
        controller.close();
      },
    });
    options.duplex = 'half';
  }
  const res = await fetch(`http://${host}${target}`, options);
  const body = Buffer.from(await res.arrayBuffer()).toString('base64');
  return { status: res.status, headers: [...res.headers], body };
}

async function converse(steps) {
  const results = [];
  for (const step of steps) {
    results.push(await (client === 'agent' ? byAgent : byFetch)(step));
  }
  return results;
}

const plan = JSON.parse(await text(process.stdin));
const results = await Promise.all(plan.map(converse));
agent.destroy();
process.stdout.write(JSON.stringify(results.flat()));

// SPDX-License-Identifier: GPL-2.0-or-later
//
// Node's http.Agent as the client: agent.mjs COMPONENTS-DIRECTORY. Keep-alive connections of its own
// choice, on which components and backends take turns; prints lines of checks (see lib.sh).

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';

const VIPS = { v4: '10.80.9.9', v6: 'fd80:9::9' };
const SIZES = [1, 1024, 14336, 65536];
const directory = process.argv[2];
const md5 = (data) => createHash('md5').update(data).digest('hex');
const sums = new Map(SIZES.map((size) => [`/c/${size}`, md5(readFileSync(`${directory}/${size}`))]));

/** GET; { status, headers, body, reused }. */
function get(agent, host, path) {
  return new Promise((resolve, reject) => {
    const req = http.get({ agent, host, path, timeout: 20_000 }, (res) => {
      const parts = [];
      res.on('data', (part) => parts.push(part));
      res.on('error', reject);
      res.on('end', () => resolve({
        status: res.statusCode,
        headers: res.headers,
        body: Buffer.concat(parts),
        reused: req.reusedSocket,
      }));
    });
    req.on('timeout', () => req.destroy(new Error(`${path}: no answer in 20 s`)));
    req.on('error', reject);
  });
}

/** Throws unless the answer is what the path promises. */
function verify(path, res) {
  const by = res.headers['x-backend'] ?? res.headers.server;
  const wanted = { '/a': 'node1', '/b': 'node2', '/c': 'sluice' }[path.slice(0, 2)];
  if (res.status !== 200) throw new Error(`${path}: status ${res.status} of ${by}`);
  if (by !== wanted) throw new Error(`${path}: answered by ${by}, not by ${wanted}`);
  if (sums.has(path) && md5(res.body) !== sums.get(path)) throw new Error(`${path}: wrong bytes`);
}

async function takeTurns(host, workers) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: workers });
  const paths = ['/c/1024', '/a/whoami', '/c/14336', '/b/whoami', '/c/1', '/b/bytes/3000', '/c/65536'];
  let fresh = 0;
  const worker = async (first) => {
    for (let i = 0; i < 100; i++) {
      const path = paths[(first + i) % paths.length];
      const res = await get(agent, host, path);
      verify(path, res);
      if (!res.reused) fresh++;
    }
  };
  try {
    await Promise.all(Array.from({ length: workers }, (_, i) => worker(i)));
  } finally {
    agent.destroy();
  }
  if (fresh > workers) throw new Error(`${fresh} connections where ${workers} were enough`);
}

for (const [family, host] of Object.entries(VIPS)) {
  for (const workers of [1, 8]) {
    const name = `http.Agent: ${workers} keep-alive connections, 100 requests each, ${family}`;
    try {
      await takeTurns(host, workers);
      console.log(`ok - ${name}`);
    } catch (error) {
      console.log(`not ok - ${name}: expected no error, actual ${error.message}`);
      process.exitCode = 1;
    }
  }
}

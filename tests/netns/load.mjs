// SPDX-License-Identifier: GPL-2.0-or-later
//
// Load of hits and misses on keep-alive connections: load.mjs COMPONENTS-DIRECTORY CONNECTIONS.
// Half of the connections are IPv6. Prints `running` when every connection has had its first answer;
// on SIGTERM ends its requests and prints `requests N fresh N errors N MESSAGE`, where fresh counts
// the connections that were opened.

import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { get, sumsOf, verify, VIPS } from './client.mjs';

const PATHS = ['/c/1024', '/a/bytes/3000', '/c/14336', '/c/1', '/b/bytes/20000', '/c/65536'];
const THINK_MS = 100; // at most, between two requests of a connection
const sums = sumsOf(process.argv[2]);
const connections = Number(process.argv[3]);
const seen = { requests: 0, fresh: 0, errors: 0, first: '' };
let begun = 0;
let isEnding = false;

/** One connection's requests. An error is counted, and the load goes on. */
async function worker(number) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const host = number % 2 ? VIPS.v6 : VIPS.v4;
  for (let i = number; !isEnding; i++) {
    const path = PATHS[i % PATHS.length];
    try {
      const res = await get(agent, host, path);
      if (!res.reused) seen.fresh++;
      verify(sums, path, res);
      seen.requests++;
    } catch (error) {
      seen.errors++;
      seen.first ||= `${path}: ${error.message}`;
    }
    if (i === number && ++begun === connections) console.log('running');
    await sleep(Math.random() * THINK_MS);
  }
  agent.destroy();
}

process.on('SIGTERM', () => { isEnding = true; });
await Promise.all(Array.from({ length: connections }, (_, i) => worker(i)));
console.log(`requests ${seen.requests} fresh ${seen.fresh} errors ${seen.errors} ${seen.first}`);

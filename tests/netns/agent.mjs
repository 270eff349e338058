// SPDX-License-Identifier: GPL-2.0-or-later
//
// Node's http.Agent as the client: agent.mjs COMPONENTS-DIRECTORY. Keep-alive connections of its own
// choice, on which components and backends take turns; prints lines of checks (see lib.sh).

import http from 'node:http';
import { get, sumsOf, verify, VIPS } from './client.mjs';

const PATHS = ['/c/1024', '/a/whoami', '/c/14336', '/b/whoami', '/c/1', '/b/bytes/3000', '/c/65536'];
const sums = sumsOf(process.argv[2]);

async function takeTurns(host, workers) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: workers });
  let fresh = 0;
  const worker = async (first) => {
    for (let i = 0; i < 100; i++) {
      const path = PATHS[(first + i) % PATHS.length];
      const res = await get(agent, host, path);
      verify(sums, path, res);
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

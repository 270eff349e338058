// SPDX-License-Identifier: GPL-2.0-or-later
//
// Node's http.Agent on relayed connections: relay_agent.mjs BODY-FILE. Prints lines of checks
// (see lib.sh).

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { get, VIPS } from './client.mjs';

const body = readFileSync(process.argv[2]);
const sum = createHash('sha256').update(body).digest('hex');

function post(agent, host) {
  return new Promise((resolve, reject) => {
    const req = http.request({ agent, host, path: '/whoami', method: 'POST', timeout: 20_000 }, (res) => {
      const parts = [];
      res.on('data', (part) => parts.push(part));
      res.on('error', reject);
      res.on('end', () => resolve({ body: Buffer.concat(parts) }));
    });
    req.on('timeout', () => req.destroy(new Error('POST: no answer')));
    req.on('error', reject);
    req.end(body);
  });
}

async function work(host, workers) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: workers });
  const worker = async () => {
    for (let i = 0; i < 30; i++) {
      const isPost = i % 5 === 2;
      const res = isPost ? await post(agent, host) : await get(agent, host, `/${i}/bytes/100000`);
      if (isPost && JSON.parse(res.body).bodySha256 !== sum) throw new Error('POST: wrong bytes');
      if (!isPost && res.body.length !== 100000) throw new Error(`${res.body.length} bytes`);
    }
  };
  try {
    await Promise.all(Array.from({ length: workers }, worker));
  } finally {
    agent.destroy();
  }
}

for (const [family, host] of Object.entries(VIPS)) {
  const name = `relayed, ${family}: http.Agent, 4 keep-alive connections`;
  try {
    await work(host, 4);
    console.log(`ok - ${name}`);
  } catch (error) {
    console.log(`not ok - ${name}: expected no error, actual ${error.message}`);
    process.exitCode = 1;
  }
}

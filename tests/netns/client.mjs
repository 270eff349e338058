// SPDX-License-Identifier: GPL-2.0-or-later
//
// What agent.mjs and load.mjs share: a GET through an http.Agent, and the check of its answer.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';

export const VIPS = { v4: '10.80.9.9', v6: 'fd80:9::9' };
const SIZES = [1, 1024, 14336, 65536];
const TIMEOUT_MS = 20_000;
const md5 = (data) => createHash('md5').update(data).digest('hex');

/** md5 of each component, by path; the files are those of conf_components. */
export function sumsOf(directory) {
  return new Map(SIZES.map((size) => [`/c/${size}`, md5(readFileSync(`${directory}/${size}`))]));
}

/** GET: { status, headers, body, reused }. */
export function get(agent, host, path) {
  return new Promise((resolve, reject) => {
    const req = http.get({ agent, host, path, timeout: TIMEOUT_MS }, (res) => {
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
    req.on('timeout', () => req.destroy(new Error(`${path}: no answer in ${TIMEOUT_MS} ms`)));
    req.on('error', reject);
  });
}

/** Throws unless the answer is what the path promises: /a/ and /b/ lead to a backend each. */
export function verify(sums, path, res) {
  const by = res.headers['x-backend'] ?? res.headers.server;
  const wanted = { '/a': 'node1', '/b': 'node2', '/c': 'sluice' }[path.slice(0, 2)];
  if (res.status !== 200) throw new Error(`${path}: status ${res.status} of ${by}`);
  if (by !== wanted) throw new Error(`${path}: answered by ${by}, not by ${wanted}`);
  if (sums.has(path) && md5(res.body) !== sums.get(path)) throw new Error(`${path}: wrong bytes`);
  const length = /\/bytes\/(\d+)$/.exec(path)?.[1];
  if (length !== undefined && res.body.length !== Number(length)) {
    throw new Error(`${path}: ${res.body.length} bytes`);
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later
//
// A backend that takes request bodies slowly, for upload.sh: after each 64 KB it rests, and its
// receive window closes. Answers {bodyLength, bodySha256}. Environment: PORT, REST_MS.

import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const PIECE = 65536;
const REST_MS = Number(process.env.REST_MS);

createServer({ highWaterMark: PIECE }, async (req, res) => {
  const hash = createHash('sha256');
  let length = 0;
  for await (const chunk of req) {
    hash.update(chunk);
    if (Math.floor(length / PIECE) < Math.floor((length += chunk.length) / PIECE)) {
      await sleep(REST_MS);
    }
  }
  const json = JSON.stringify({ bodyLength: length, bodySha256: hash.digest('hex') });
  res.setHeader('content-length', json.length);
  res.end(json);
}).listen(Number(process.env.PORT), '::');

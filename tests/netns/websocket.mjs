// SPDX-License-Identifier: GPL-2.0-or-later
//
// WebSocket through the gateway, with the client of the `ws` package: small and large messages are
// echoed; a ping is answered; both sides' close ends the connection. Prints lines of checks (lib.sh).

import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';

const require = createRequire(new URL('../../netns-lab/package.json', import.meta.url));
const { WebSocket } = require('ws');
const SIZES = [0, 1, 125, 126, 1448, 65535, 65536, 1_000_000];

/** The next event of that name, or an error after 20 s. */
function next(socket, name) {
  return new Promise((resolve, reject) => {
    const settle = (how) => (value) => {
      clearTimeout(timer);
      socket.off(name, arrived);
      socket.off('error', failed);
      how(value);
    };
    const arrived = settle(resolve);
    const failed = settle(reject);
    const timer = setTimeout(() => failed(new Error(`no ${name} in 20 s`)), 20_000);
    socket.once(name, arrived);
    socket.once('error', failed);
  });
}

async function echo(url) {
  const socket = new WebSocket(url);
  await next(socket, 'open');
  for (const size of SIZES) {
    const sent = randomBytes(size);
    const answer = next(socket, 'message');
    socket.send(sent);
    const received = await answer;
    if (!sent.equals(received)) throw new Error(`${received.length} other bytes for ${size}`);
  }
  const pong = next(socket, 'pong');
  socket.ping('GET /c/1024 HTTP/1.1\r\nHost: lab.example\r\n\r\n');
  await pong;
  const closed = next(socket, 'close');
  socket.close(1000);
  const code = await closed;
  if (code !== 1000) throw new Error(`closed with code ${code}`);
}

for (const [family, host] of [['v4', '10.80.9.9'], ['v6', '[fd80:9::9]']]) {
  for (const path of ['/a/ws', '/b/ws']) {
    const name = `WebSocket ${path}: ${SIZES.length} sizes, ping, close, ${family}`;
    try {
      await echo(`ws://${host}${path}`);
      console.log(`ok - ${name}`);
    } catch (error) {
      console.log(`not ok - ${name}: expected an echo, actual ${error.message}`);
      process.exitCode = 1;
    }
  }
}

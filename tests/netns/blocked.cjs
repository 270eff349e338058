// SPDX-License-Identifier: GPL-2.0-or-later
//
// Loaded in front of a backend (node -r): its event loop is busy most of the time, as with heavy
// rendering, so that requests lie unread while timers of idle connections run out.

const BUSY_MS = 30;
const FREE_MS = 10;

function block() {
  const end = performance.now() + BUSY_MS;
  while (performance.now() < end);
  setTimeout(block, FREE_MS);
}
block();

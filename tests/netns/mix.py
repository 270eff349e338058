#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections that mix everything, for mix.sh: mix.py COMPONENTS-DIRECTORY SEED CONNECTIONS AVERAGE
HUGE [pipeline].

Each connection sends the steps of its plan (mix_plan.py), cut at random, several at once with
`pipeline`; each response is verified, no byte may be left; at the end come a WebSocket, a close or a
reset. One check for each way of sending.
"""
import base64
import hashlib
import os
import random
import sys
import threading
import time

from mix_plan import Judge, body, make_plan
from rawhttp import VIP4, VIP6, Conn, Mismatch, Report, chunked, expect, head

WORKERS = 12
PIPELINE_BYTES = 3000  # requests that are sent at once
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3


def request_parts(what):
    """Head and body of a step's request as bytes."""
    headers = [("Expect", "100-continue")] if what["expect"] else []
    if what["size"] is None:
        return head(what["target"], what["method"], headers), b""
    data = body(what["size"])
    if what["framing"] == "chunked":
        headers.append(("Transfer-Encoding", "chunked"))
        return head(what["target"], what["method"], headers), chunked(data, (what["chunk"], 1))
    return head(what["target"], what["method"], headers, data), data


def cut(rnd, data):
    """The bytes in random pieces: one, a few, or (short ones) single bytes."""
    roll = rnd.random()
    if roll < 0.4 or len(data) < 2:
        return [data]
    if roll < 0.45 and len(data) < 300:
        return [data[i:i + 1] for i in range(len(data))]
    marks = sorted(rnd.randrange(len(data)) for _ in range(rnd.randrange(1, 5)))
    return [data[a:b] for a, b in zip([0] + marks, marks + [len(data)]) if a != b]


def send_cut(rnd, conn, data):
    """Pieces of a few bytes shall be segments; large ones need not wait for their ACKs."""
    pieces = cut(rnd, data)
    for piece in pieces[:-1]:
        if rnd.random() < 0.5:
            conn.send_segments([piece])
        else:
            conn.send(piece)
    conn.send(pieces[-1])


def batches(rnd, steps, pipeline):
    """Steps in lists that are sent at once; those that wait for 100 stand alone, large ones too."""
    out = []
    for what in steps:
        alone = what["expect"] or (what["size"] or 0) > PIPELINE_BYTES
        if out and pipeline and not alone and not out[-1][1] and rnd.random() < 0.7:
            out[-1][0].append(what)
        else:
            out.append(([what], alone))
    return [steps for steps, _ in out]


def send_batch(rnd, conn, steps):
    what = steps[0]
    if what["expect"]:
        first, rest = request_parts(what)
        send_cut(rnd, conn, first)
        expect("interim response", 100, conn.read("POST", skip_interim=False).status)
        send_cut(rnd, conn, rest)
    else:
        send_cut(rnd, conn, b"".join(b"".join(request_parts(what)) for what in steps))


def websocket_frame(rnd, payload):
    mask = rnd.randbytes(4)
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    masked = (int.from_bytes(payload, "big") ^ key).to_bytes(size, "big")
    return b"\x82" + length + mask + masked


def websocket(rnd, conn, pool, by):
    """The handshake and some echoes (RFC 6455); then the connection is nothing else any more."""
    key = base64.b64encode(rnd.randbytes(16))
    send_cut(rnd, conn, head(f"{pool}/ws", "GET", [
        ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", key.decode())]))
    r = conn.read()
    accepted = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
    expect("upgrade", (101, by, accepted),
           (r.status, r.header("x-backend"), r.header("sec-websocket-accept")))
    for size in rnd.sample((0, 1, 125, 126, 1448, 30_000), 3):
        payload = body(size)
        send_cut(rnd, conn, websocket_frame(rnd, payload))
        first = conn._take(2)  # pylint: disable=protected-access
        length = first[1] if first[1] < 126 else int.from_bytes(conn._take(2), "big")
        expect("echo", (0x82, payload), (first[0], conn._take(length)))


def finish(rnd, conn, judge):
    roll = rnd.random()
    if roll < 0.25:
        pool, by = rnd.choice((("/a", "node1"), ("/b", "node2"), ("/l", "local1")))
        websocket(rnd, conn, pool, by)
    elif roll < 0.4:
        what = {"method": "GET", "target": rnd.choice(("/a/whoami", "/c/1024")), "size": None}
        conn.send(head(what["target"], headers=[("Connection", "close")]))
        judge.verify(what, conn.read())
        expect("end", "fin", conn.end())
    elif roll < 0.5:
        conn.abort()


def converse(seed, steps, judge, pipeline):
    """One connection. Returns the number of its requests."""
    rnd = random.Random(seed)
    with Conn(rnd.choice((VIP4, VIP6))) as conn:
        for batch in batches(rnd, steps, pipeline):
            send_batch(rnd, conn, batch)
            for what in batch:
                try:
                    judge.verify(what, conn.read(what["method"]))
                except (Mismatch, OSError, EOFError, ValueError) as e:
                    raise Mismatch(f"a right answer to {what} in {batch} on a connection with "
                                   f"{[s['target'] for s in steps]}", f"{type(e).__name__}: {e}") from e
            expect("bytes behind the last response", b"", conn.buf)
        finish(rnd, conn, judge)


class Crowd:
    """Threads that take connections until none is left, or one has failed."""

    def __init__(self, seed, plan, judge, pipeline):
        self.seed, self.judge, self.pipeline = seed, judge, pipeline
        self.left = list(enumerate(plan))
        self.lock = threading.Lock()
        self.failure = None

    def work(self):
        while True:
            with self.lock:
                if not self.left or self.failure:
                    return
                number, steps = self.left.pop()
            try:
                converse(f"{self.seed}/{number}", steps, self.judge, self.pipeline)
            except Exception as e:  # pylint: disable=broad-except
                self.failure = (number, e)

    def run(self):
        threads = [threading.Thread(target=self.work, daemon=True) for _ in range(WORKERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.failure:
            number, error = self.failure
            raise Mismatch("every answer right", f"connection {number}: {error}")


def main():
    directory, seed, connections, average, huge = sys.argv[1:6]
    pipeline = "pipeline" in sys.argv[6:]
    plan = make_plan(seed, int(connections), int(average), float(huge))
    requests = sum(len(steps) for steps in plan)
    report = Report()
    start = time.monotonic()
    name = "pipelined" if pipeline else "one at a time"
    report.run(f"raw client, {name}: {requests} requests on {len(plan)} connections, seed {seed}",
               Crowd(seed, plan, Judge(directory), pipeline).run)
    print(f"# {name}: {time.monotonic() - start:.1f} s", flush=True)
    sys.stdout.flush()
    os._exit(1 if report.failures else 0)  # threads may hang


main()

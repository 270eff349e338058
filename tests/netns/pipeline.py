#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Pipelined requests of one connection, written at once and half closed behind them: every response
comes, in order, with the right bytes. Usage: pipeline.py VIP COMPONENTS [--half]"""

import json
import pathlib
import socket
import sys
import time

# Path, and the backend that must answer (None: the kernel).
PATHS = [
    ("/c/1024", None),
    ("/a/whoami", "node1"),
    ("/c/1", None),
    ("/c/1024", None),
    ("/b/whoami", "node2"),
    ("/a/bytes/3000", "node1"),
    ("/c/14336", None),
    ("/b/whoami", "node2"),
]


def response(stream):
    """Status, headers, body of the next response with a Content-Length, or chunked."""
    status = stream.readline().split()
    headers = {}
    while (line := stream.readline().strip()):
        name, value = line.decode().split(":", 1)
        headers[name.lower()] = value.strip()
    if headers.get("transfer-encoding") != "chunked":
        return status, headers, stream.read(int(headers["content-length"]))
    body = b""
    while (size := int(stream.readline(), 16)):
        body += stream.read(size)
        stream.readline()
    stream.readline()
    return status, headers, body


def wrong(path, node, components, answer):
    """What is wrong with the answer, or None."""
    status, headers, body = answer
    if status[1:2] != [b"200"]:
        return f"{path}: {status}"
    if headers.get("x-backend") != node:
        return f"{path}: from {headers.get('x-backend')}"
    if node is None and body != (components / path[3:]).read_bytes():
        return f"{path}: other bytes"
    if path.endswith("/whoami") and json.loads(body)["url"] != path:
        return f"{path}: {body[:80]}"
    return None


def run(vip, components, half):
    name = f"{vip}: {len(PATHS)} pipelined requests{', then FIN' if half else ''}: all answered in order"
    begin = time.monotonic()
    with socket.create_connection((vip, 80), 10) as sock:
        stream = sock.makefile("rb")
        for turn in range(1 if half else 20):
            sock.sendall(b"".join(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % p.encode() for p, _ in PATHS))
            if half:
                sock.shutdown(socket.SHUT_WR)
            for path, node in PATHS:
                fault = wrong(path, node, components, response(stream))
                if fault:
                    print(f"not ok - {name}: turn {turn}: expected 200, its own bytes, actual {fault}")
                    return
        if half and stream.read():
            print(f"not ok - {name}: expected the end, actual more bytes")
            return
    spent = time.monotonic() - begin
    if half and spent > 3:
        print(f"not ok - {name}: expected at most 3 s, actual {spent:.1f}")
        return
    print(f"ok - {name}")


run(sys.argv[1], pathlib.Path(sys.argv[2]), "--half" in sys.argv)

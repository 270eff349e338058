#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that leave without a word: vanish.py COUNT idle|half|unread.

The suite drops what leaves this namespace with FIN or RST (for `unread` also pure ACKs), so the
gateway never learns that they are gone. idle: after an answer of the kernel and one of a backend;
half: in the middle of a header block; unread: with an answer of 64 KB under way. Prints how
many of them were not answered as they should have been.
"""
import sys

from rawhttp import VIP4, VIP6, Conn, Mismatch, expect, head

ENOUGH = 20  # errors; each may take long


def idle(c):
    for path in ("/c/1024", "/a/bytes/10"):
        expect(f"status of {path}", 200, c.request(path).status)


def half(c):
    c.send(b"GET /c/1024 HTTP/1.1\r\nHost: lab.exa")


def unread(c):
    c.send(head("/c/65536"))
    c.sock.recv(1)


def main():
    count, how = int(sys.argv[1]), {f.__name__: f for f in (idle, half, unread)}[sys.argv[2]]
    errors, first = 0, ""
    for i in range(count):
        try:
            c = Conn(VIP6 if i % 2 else VIP4, timeout=5)
            how(c)
            c.abort()
        except (OSError, EOFError, ValueError, Mismatch) as e:
            errors += 1
            first = first or f", the first at {i}: {e}"
            if errors == ENOUGH:
                break
    print(f"{errors} errors{first}")


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that leave without a word: vanish.py COUNT idle|half|unread.

The suite drops what leaves this namespace with FIN or RST (for `unread` also pure ACKs), so the
gateway never learns that they are gone. idle: after an answer of the kernel and one of a backend;
half: in the middle of a header block; unread: with an answer of 64 KB under way. Prints the number
of connections whose requests were not answered as they should.
"""
import sys

from rawhttp import VIP4, VIP6, Conn, head


def idle(c):
    if c.request("/c/1024").status != 200 or c.request("/a/bytes/10").status != 200:
        raise ValueError("status")


def half(c):
    c.send(b"GET /c/1024 HTTP/1.1\r\nHost: lab.exa")


def unread(c):
    c.send(head("/c/65536"))
    c.sock.recv(1)


def main():
    count, how = int(sys.argv[1]), {f.__name__: f for f in (idle, half, unread)}[sys.argv[2]]
    bad = 0
    for i in range(count):
        try:
            c = Conn(VIP6 if i % 2 else VIP4, timeout=5)
            how(c)
            c.abort()
        except (OSError, EOFError, ValueError):
            bad += 1
            if bad > 20:
                break
    print(bad)


main()

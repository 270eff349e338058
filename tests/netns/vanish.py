#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that leave without a word: vanish.py COUNT RATE idle|unacked|half|unread.

The suite drops what leaves this namespace with FIN or RST (for `unread` also pure ACKs), so the
gateway never learns that they are gone. idle: after an answer of the kernel and one of a backend;
unacked: without the ACK of the latter; half: in the middle of a header block; unread: with an answer
of 64 KB under way. RATE is how many come in a second at most. Prints how many of them were not
answered as they should have been.
"""
import socket
import sys
import time

from rawhttp import VIP4, VIP6, Conn, Mismatch, expect, head

ENOUGH = 20  # errors; each may take long


def idle(c):
    unacked(c)
    c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)  # sends the ACK that is due


def unacked(c):
    for path in ("/c/1024", "/a/bytes/10"):
        expect(f"status of {path}", 200, c.request(path).status)


def half(c):
    c.send(b"GET /c/1024 HTTP/1.1\r\nHost: lab.exa")


def unread(c):
    c.send(head("/c/65536"))
    c.sock.recv(1)


# Ports of its own for each way: a SYN on a live connection gets a challenge ACK, and the RST that
# answers it is among what the suite drops.
PORTS = {idle: 16000, unacked: 20000, half: 24000, unread: 28000}


def main():
    count, rate = int(sys.argv[1]), int(sys.argv[2])
    how = {f.__name__: f for f in PORTS}[sys.argv[3]]
    start = time.monotonic()
    errors, first = 0, ""
    for i in range(count):
        time.sleep(max(0, start + i / rate - time.monotonic()))
        try:
            vip = VIP6 if i % 2 else VIP4
            source = ("::" if i % 2 else "", PORTS[how] + i)
            c = Conn(vip, timeout=5, source=source)
            how(c)
            c.abort()
        except (OSError, EOFError, ValueError, Mismatch) as e:
            errors += 1
            first = first or f", the first at {i}: {e}"
            if errors == ENOUGH:
                break
    print(f"{errors} errors{first}")


main()

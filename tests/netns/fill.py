#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that keep the flow table busy: fill.py COUNT.

Each sends half of a POST to /a/whoami and waits. Prints `held N`, how many of them are still
connected when all have come, and stays until it is killed.
"""
import resource
import sys
import time

from rawhttp import VIP4, VIP6, Conn

HALF = b"POST /a/whoami HTTP/1.1\r\nHost: lab.example\r\nContent-Length: 100\r\n\r\nhalf"


def is_open(conn):
    conn.sock.setblocking(False)
    try:
        conn.sock.recv(1)
        return False
    except BlockingIOError:
        return True
    except OSError:
        return False


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (16384, 16384))
    held = []
    for i in range(int(sys.argv[1])):
        held.append(Conn(VIP6 if i % 2 else VIP4, source=("::" if i % 2 else "", 20000 + i)))
        held[-1].send(HALF)
        time.sleep(0.002)  # slower than Node accepts
    time.sleep(0.5)
    print("held", sum(map(is_open, held)), flush=True)
    while True:
        time.sleep(60)


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A listener whose accept queue is full: full_listener.py PORT. Prints `full` when it is; nobody ever
accepts. Its own connections over loopback fill the queue."""
import signal
import socket
import sys


def main():
    port = int(sys.argv[1])
    listener = socket.socket(socket.AF_INET6)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("::", port))
    listener.listen(0)
    clients = []
    for _ in range(3):  # a queue of length 0 takes one connection
        c = socket.socket()
        c.setblocking(False)
        c.connect_ex(("127.0.0.1", port))
        clients.append(c)
    print("full", flush=True)
    signal.pause()


main()

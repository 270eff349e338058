#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Long bodies up and down, for upload.sh: upload.py COMPONENTS-DIRECTORY NAME GROUP SIZE CHUNKED

On one keep-alive connection the kernel answers before and after each of them, and every byte is
right. SIZE and CHUNKED are bytes of bodies, the latter in chunks. GROUP is `bodies` (up, down, up in chunks) or `slow` (the client or the backend rests). Prints
one line of a check for each and each family of addresses.
"""
import socket
import sys
import time

from rawhttp import (VIP4, VIP6, Components, Conn, Counters, Report, chunked, expect, head, pattern,
                     random_body, sha256)

TIMEOUT_S = 120    # for one wait; the whole suite is bounded from outside
PIECE = 65536      # bytes that a slow client takes at once ...
REST_S = 0.005     # ... before it rests
BEYOND_WINDOW = "TcpExtBeyondWindow"  # segments that the client's window did not allow
LONG_REST_S = 2.0  # once: the window stays closed, and the sender probes it

report = Report()
components = None


def by_kernel(c):
    """The kernel answers, with one segment and with many."""
    for path in ("/c/1024", "/c/65536"):
        components.verify(path, c.request(path))


def rate(size, start):
    seconds = time.monotonic() - start
    print(f"# {size} bytes in {seconds:.2f} s, {size / seconds / 1e6:.1f} MB/s", flush=True)


def verify_echo(r, body):
    expect("status", 200, r.status)
    echo = r.json()
    expect("length and sha256", (len(body), sha256(body)), (echo["bodyLength"], echo["bodySha256"]))


def upload(c, target, body):
    start = time.monotonic()
    verify_echo(c.request(target, "POST", body=body), body)
    rate(len(body), start)


def upload_chunked(c, target, body):
    start = time.monotonic()
    c.send(head(target, "POST", [("Transfer-Encoding", "chunked")]))
    c.send(chunked(body, (1, 1000, 65536, 3, 1 << 20)))
    verify_echo(c.read("POST"), body)
    rate(len(body), start)


def download(c, target, size):
    start = time.monotonic()
    r = c.request(f"{target}/{size}")
    expect("length", size, len(r.body))
    expect("sha256", sha256(pattern(size)), sha256(r.body))
    rate(size, start)


def bodies_one(host, size, size_chunked):
    """All on one connection, which both backends take part in."""
    body = random_body(size)
    with Conn(host, timeout=TIMEOUT_S) as c:
        by_kernel(c)
        upload(c, "/a/whoami", body)
        by_kernel(c)
        download(c, "/b/bytes", size)
        by_kernel(c)
        upload_chunked(c, "/b/whoami", body[:size_chunked])
        by_kernel(c)
        upload(c, "/a/whoami", body[:100000])
        download(c, "/a/bytes", 100000)
        by_kernel(c)


def take_slowly(c, count):
    """So many bytes of the connection, with rests, a long one first."""
    time.sleep(LONG_REST_S)
    parts, have = [c.buf], len(c.buf)
    while have < count:
        data = c.sock.recv(min(PIECE, count - have))
        if not data:
            raise EOFError(f"connection closed after {have} of {count} bytes")
        parts.append(data)
        have += len(data)
        time.sleep(REST_S)
    c.buf = b""
    return b"".join(parts)


def slow_reader(host, target, size, wanted):
    """A client whose window closes again and again."""
    with Conn(host, timeout=TIMEOUT_S) as c:
        by_kernel(c)
        for _ in range(2):
            c.send(head(target))
            while b"\r\n\r\n" not in c.buf:
                c._more()
            top, c.buf = c.buf.split(b"\r\n\r\n", 1)
            expect("status line", b"HTTP/1.1 200 OK", top.split(b"\r\n")[0])
            body = take_slowly(c, size)
            expect("length and sha256", (size, sha256(wanted)), (len(body), sha256(body)))
            by_kernel(c)


class NarrowConn(Conn):
    """With a receive buffer that is smaller than the component."""

    def __init__(self, host):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.host, self.timeout, self.buf = host, TIMEOUT_S, b""
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect((host, 80))


def narrow_reader(host):
    """A component of 64 KB through a window of a few: the kernel's answer waits for the client."""
    counters = Counters()
    with NarrowConn(host) as c:
        for _ in range(3):
            c.send(head("/c/65536"))
            time.sleep(0.3)
            components.verify("/c/65536", c.read())
        upload(c, "/a/whoami", random_body(50000))
        components.verify("/c/65536", c.request("/c/65536"))
    if BEYOND_WINDOW in counters.before:  # Linux 6.14
        expect(BEYOND_WINDOW, 0, counters.since(BEYOND_WINDOW))


def slow_receiver(host, size, size_chunked):
    """A backend whose window closes again and again."""
    body = random_body(size)
    with Conn(host, timeout=TIMEOUT_S) as c:
        by_kernel(c)
        upload(c, "/rest/", body)
        by_kernel(c)
        upload_chunked(c, "/rest/", body[:size_chunked])
        by_kernel(c)


def main():
    global components
    components = Components(sys.argv[1])
    name, size, size_chunked = sys.argv[2], int(sys.argv[4]), int(sys.argv[5])
    for family, host in (("v4", VIP4), ("v6", VIP6)):
        if sys.argv[3] == "bodies":
            report.run(f"{name}: {size} bytes up and down, {size_chunked} up in chunks, kernel "
                       f"answers between, {family}", bodies_one, host, size, size_chunked)
            continue
        report.run(f"{name}: a client reads {size} bytes with rests, {family}", slow_reader, host,
                   f"/a/bytes/{size}", size, pattern(size))
        report.run(f"{name}: a narrow client reads 64 KB of the kernel, {family}", narrow_reader,
                   host)
        report.run(f"{name}: a backend reads {size} bytes with rests, {family}", slow_receiver,
                   host, size, size_chunked)
    report.exit()


main()

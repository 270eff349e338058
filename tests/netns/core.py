#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The core checks: what must work whatever the backends' place and the network's settings.

core.py NAME COMPONENTS-DIRECTORY PREFIX=BACKEND...: the checks' names begin with NAME; /PREFIX/ leads
to the backend of that name.
Kernel answers of all sizes, requests and bodies of both directions, heads in segments, and turns of
all destinations on one connection; over IPv4 and IPv6.
"""
import sys

from rawhttp import (VIP4, VIP6, Components, Conn, Report, chunked, expect, expect_that, head,
                     large_headers, pattern, pieces, random_body, sha256)

CLIENTS = (("v4", VIP4, "10.80.0.2"), ("v6", VIP6, "fd80::2"))
report = Report()
components = None


def hits(host):
    for path in components.bodies:
        with Conn(host) as c:
            for _ in range(5):
                components.verify(path, c.request(path))


def heads(host, prefix, name):
    with Conn(host) as c:
        for _ in range(3):
            r = c.request("/c/65536", "HEAD")
            expect("answer", (200, True, "65536"),
                   (r.status, r.by_kernel(), r.header("content-length")))
            r = c.request(f"/{prefix}/bytes/14000", "HEAD")
            expect("answer", (200, name), (r.status, r.header("x-backend")))


def misses(host, prefix, name, address):
    """On fresh connections and on one: the bytes, and the peer that the backend saw."""
    for count in (1, 1, 1, 20):
        with Conn(host) as c:
            for i in range(count):
                size = (14000, 0, 1, 100000)[i % 4]
                r = c.request(f"/{prefix}/bytes/{size}")
                expect("answer", (200, name), (r.status, r.header("x-backend")))
                expect_that(r.body == pattern(size), f"{size} bytes", r.body)
            echo = c.request(f"/{prefix}/whoami").json()
            expect("peer", (address, c.local_port()), (echo["remoteAddress"], echo["remotePort"]))


def posts(host, prefix, name):
    with Conn(host) as c:
        for size in (0, 1, 3000, 100000):
            body = random_body(size)
            r = c.request(f"/{prefix}/whoami", "POST", body=body)
            expect("answer", (200, name), (r.status, r.header("x-backend")))
            expect(f"sha256 of {size} bytes", sha256(body), r.json()["bodySha256"])
            components.verify("/c/1024", c.request("/c/1024"))
            c.send(head(f"/{prefix}/whoami", "POST", [("Transfer-Encoding", "chunked")])
                   + chunked(body, (7, 1000, 20000)))
            expect(f"sha256 of {size} bytes in chunks", sha256(body), c.read().json()["bodySha256"])


def streams(host, prefix, name):
    """2 MB each way, and a chunked response."""
    size = 2_000_000
    with Conn(host) as c:
        expect_that(c.request(f"/{prefix}/bytes/{size}").body == pattern(size), f"{size} bytes",
                    "others")
        body = random_body(size)
        r = c.request(f"/{prefix}/whoami", "POST", body=body)
        expect("sha256", sha256(body), r.json()["bodySha256"])
        r = c.request(f"/{prefix}/chunks/20/1")
        expect("chunks", 20, r.body.count(b"by " + name.encode()))
        components.verify("/c/65536", c.request("/c/65536"))


def cut_heads(host, prefix, name):
    headers = large_headers(6000)
    with Conn(host) as c:
        for count in (5, 2, 1):
            c.send_segments(pieces(head(f"/{prefix}/whoami", headers=headers), count))
            r = c.read()
            expect("answer", (200, name), (r.status, r.header("x-backend")))
            echo = r.json()["headers"]
            expect("headers", [sha256(v.encode()) for _, v in headers],
                   [sha256(echo.get(n.lower(), "").encode()) for n, _ in headers])
            c.send_segments(pieces(head("/c/14336", headers=headers), count))
            components.verify("/c/14336", c.read())


def turns(host, backends):
    """Components and all backends take turns, in changing order."""
    with Conn(host) as c:
        for i in range(200):
            path = list(components.bodies)[i % len(components.bodies)]
            components.verify(path, c.request(path))
            prefix, name = backends[i * i % len(backends)]
            size = i * 97 % 20000
            r = c.request(f"/{prefix}/bytes/{size}")
            expect(f"answer {i}", (200, name), (r.status, r.header("x-backend")))
            expect_that(r.body == pattern(size), f"{size} bytes", r.body)
            prefix, name = backends[(i + 1) % len(backends)]
            body = random_body(i * 31 % 5000)
            r = c.request(f"/{prefix}/whoami", "POST", body=body).json()
            expect(f"echo {i}", (name, sha256(body)), (r["backend"], r["bodySha256"]))


def main():
    global components
    report.prefix = f"{sys.argv[1]}: "
    components = Components(sys.argv[2])
    backends = [tuple(arg.split("=")) for arg in sys.argv[3:]]
    for family, host, address in CLIENTS:
        report.run(f"components of 1 B to 64 KB, {family}", hits, host)
        for prefix, name in backends:
            report.run(f"requests reach {name}, {family}", misses, host, prefix, name, address)
            report.run(f"HEAD at {name}, {family}", heads, host, prefix, name)
            report.run(f"POST to {name}, {family}", posts, host, prefix, name)
            report.run(f"2 MB each way, {name}, {family}", streams, host, prefix, name)
            report.run(f"6 KB of headers in segments to {name}, {family}", cut_heads, host, prefix,
                       name)
        report.run(f"components and {len(backends)} backends take turns on one connection, {family}",
                   turns, host, backends)
    report.exit()


main()

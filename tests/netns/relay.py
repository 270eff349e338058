#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests on relayed connections: relay.py BODY-FILE. Prints lines of checks (see lib.sh)."""
import hashlib
import sys

from rawhttp import VIP4, VIP6, Conn, Report, expect, expect_that, head

CLAIM = b"GET /whoami HTTP/1.1\r\nHost: lab.example\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n"


def keep_alive(vip):
    with Conn(vip) as c:
        backend = c.request("/whoami").json()["backend"]
        for i in range(20):
            seen = c.request(f"/c/{i}/whoami").json()
            expect("backend", backend, seen["backend"])
            expect("remotePort", c.local_port(), seen["remotePort"])
        body = c.request("/bytes/3000000").body
        pattern = bytes(range(ord("a"), ord("z") + 1))
        expect_that(body == (pattern * (len(body) // 26 + 1))[:3000000], "3000000 bytes", body)


def pipelined(vip):
    with Conn(vip) as c:
        c.send(head("/1/whoami") + head("/bytes/5000") + head("/3/whoami"))
        expect("url", "/1/whoami", c.read().json()["url"])
        expect("bytes", 5000, len(c.read().body))
        expect("url", "/3/whoami", c.read().json()["url"])


def post(vip, body):
    with Conn(vip) as c:
        for _ in range(3):
            c.send(b"POST /whoami HTTP/1.1\r\nHost: lab.example\r\nContent-Length: %d\r\n\r\n"
                   % len(body))
            c.send(body)
            seen = c.read().json()
            expect("bytes", len(body), seen["bodyLength"])
            expect("SHA-256", hashlib.sha256(body).hexdigest(), seen["bodySha256"])


def claim_first(vip):
    with Conn(vip) as c:
        c.send(CLAIM)
        expect("status", 400, c.read().status)


def claim_second(vip):
    with Conn(vip) as c:
        before = c.request("/whoami").json()
        c.send(CLAIM)
        try:
            expect_that(False, "the connection's end", c.read().summary())
        except (ConnectionResetError, EOFError):
            pass
    with Conn(vip) as c:
        while True:
            after = c.request("/whoami").json()
            if after["backend"] == before["backend"]:
                break
            c = Conn(vip)
        expect("requests that the backend has seen", before["requests"] + 1, after["requests"])


def main():
    with open(sys.argv[1], "rb") as f:
        body = f.read()
    report = Report()
    for family, vip in (("v4", VIP4), ("v6", VIP6)):
        report.prefix = f"relayed, {family}: "
        report.run("requests of one connection go to one backend", keep_alive, vip)
        report.run("pipelined requests", pipelined, vip)
        report.run("1 MB three times on one connection", post, vip, body)
        report.run("X-Forwarded-For in the first request: 400", claim_first, vip)
        report.run("X-Forwarded-For in the second: RST", claim_second, vip)
    report.exit()


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Bodies and framing on the way to the backends and back, for steering.sh: bodies.py
COMPONENTS-DIRECTORY [small|large].

After each of them the kernel answers on the same connection: it must know where bodies end.
"""
import sys
import time

from rawhttp import (VIP4, VIP6, Components, Conn, Report, chunked, expect, expect_that, head,
                     pattern, random_body, sha256)

ADDRESSES = (("v4", VIP4), ("v6", VIP6))
LARGE = 50 * 1024 * 1024
report = Report()
components = None


def then_component(c):
    components.verify("/c/1024", c.request("/c/1024"))


# --- responses ------------------------------------------------------------------------------------

def response_without_body(host, method, target, status):
    with Conn(host) as c:
        for _ in range(3):
            r = c.request(target, method)
            expect("answer", (status, "node1", b""), (r.status, r.header("x-backend"), r.body))
            then_component(c)


def response_chunked(host, chunks, interval_ms):
    with Conn(host) as c:
        for _ in range(2):
            r = c.request(f"/a/chunks/{chunks}/{interval_ms}")
            expect("transfer-encoding", "chunked", r.header("transfer-encoding"))
            wanted = b"".join(b"chunk %d of %d by node1\n" % (i, chunks) for i in range(chunks))
            expect("body", wanted, r.body)
            then_component(c)


def response_sizes(host):
    with Conn(host) as c:
        for size in (0, 1, 1300, 1447, 1448, 1449, 14480, 65536, 300000, 2000000):
            expect_that(c.request(f"/a/bytes/{size}").body == pattern(size), f"{size} bytes", "others")
            then_component(c)


def download(host, size):
    with Conn(host, timeout=60) as c:
        r = c.request(f"/a/bytes/{size}")
        expect("length", size, len(r.body))
        expect("sha256", sha256(pattern(size)), sha256(r.body))
        then_component(c)


# --- request bodies -------------------------------------------------------------------------------

def upload(host, size, framing, target="/a/whoami"):
    body = random_body(size)
    with Conn(host, timeout=60 if size == LARGE else 20) as c:
        for _ in range(2):
            if framing == "length":
                r = c.request(target, "POST", body=body)
            else:
                c.send(head(target, "POST", [("Transfer-Encoding", "chunked")]))
                c.send(chunked(body, (1, 10, 1000, 65536, 3)))
                r = c.read("POST")
            expect("status", 200, r.status)
            echo = r.json()
            expect("length and sha256", (size, sha256(body)), (echo["bodyLength"],
                                                               echo["bodySha256"]))
            then_component(c)
            target = "/b" + target[2:]


def upload_in_small_pieces(host):
    """Head and body cut where it hurts: inside the head, at its end, inside chunk sizes."""
    body = random_body(3000)
    for framing in ("length", "chunked"):
        if framing == "length":
            data = head("/a/whoami", "POST", body=body) + body
        else:
            data = head("/a/whoami", "POST", [("Transfer-Encoding", "chunked")]) \
                + chunked(body, (1, 15, 700))
        end = data.index(b"\r\n\r\n")
        cuts = sorted({5, end, end + 1, end + 2, end + 3, end + 4, end + 5, end + 6, end + 8,
                       end + 9, end + 700, end + 2000, len(data) - 5, len(data) - 2, len(data) - 1})
        with Conn(host) as c:
            for _ in range(2):
                c.send_segments([data[a:b] for a, b in zip([0] + cuts, cuts + [len(data)])])
                echo = c.read("POST").json()
                expect(f"sha256, {framing}", sha256(body), echo["bodySha256"])
                then_component(c)


def expect_continue(host):
    body = random_body(5000)
    with Conn(host) as c:
        for target in ("/a/whoami", "/b/whoami"):
            c.send(head(target, "POST", [("Expect", "100-continue"),
                                         ("Content-Length", str(len(body)))]))
            expect("interim answer", 100, c.read(skip_interim=False).status)
            c.send(body)
            expect("sha256", sha256(body), c.read("POST").json()["bodySha256"])
            then_component(c)


# --- pipelining -----------------------------------------------------------------------------------

def pipelined(host, targets, as_segments):
    """All requests before the first answer; the answers come whole and in order."""
    requests = [head(t) for t in targets]
    with Conn(host) as c:
        if as_segments:
            for request in requests:
                c.send(request)
        else:
            c.send(b"".join(requests))
        for target in targets:
            r = c.read()
            if target in components.bodies:
                components.verify(target, r)
                continue
            expect(f"answer to {target}", (200, {"a": "node1", "b": "node2"}[target[1]]),
                   (r.status, r.header("x-backend")))
            expect_that(r.body == pattern(int(target.rsplit("/", 1)[1])), f"body of {target}",
                        r.body)
        then_component(c)


def request_during_response(host):
    """The next request, for another destination, comes while a response is under way."""
    with Conn(host) as c:
        c.send(head("/a/chunks/8/100"))
        while b"chunk 0" not in c.buf:
            c._more()
        c.send(head("/c/14336"))
        expect("lines", 8, c.read().body.count(b"by node1"))
        components.verify("/c/14336", c.read())
        c.send(head("/a/chunks/4/100"))
        c.send(head("/b/bytes/10"))
        expect("lines", 4, c.read().body.count(b"by node1"))
        expect("backend", "node2", c.read().header("x-backend"))


def streamed(host):
    """A response is passed on as it comes: its first chunk does not wait for the last."""
    with Conn(host) as c:
        then_component(c)
        start = time.monotonic()
        c.send(head("/a/chunks/6/500"))
        while b"chunk 0" not in c.buf:
            c._more()
        first = time.monotonic() - start
        c.read()
        whole = time.monotonic() - start
        expect_that(first < whole - 1.5, "the first chunk long before the last",
                    f"{first:.2f} s of {whole:.2f} s")


def small():
    for name, host in ADDRESSES:
        for method, target, status in (("HEAD", "/a/bytes/5000", 200), ("GET", "/a/status/204", 204),
                                       ("GET", "/a/status/304", 304),
                                       ("HEAD", "/a/chunks/3/1", 200),
                                       ("DELETE", "/a/status/204", 204)):
            report.run(f"{method} {target}, then a component, {name}", response_without_body, host,
                       method, target, status)
        for chunks, interval_ms in ((1, 0), (200, 0), (10, 20)):
            report.run(f"{chunks} chunks, one each {interval_ms} ms, then a component, {name}",
                       response_chunked, host, chunks, interval_ms)
        report.run(f"responses of 0 B to 2 MB, then components, {name}", response_sizes, host)
        for size in (0, 1, 1000, 1448, 10000, 100000, 5000000):
            for framing in ("length", "chunked"):
                report.run(f"POST of {size} bytes, {framing}, then a component, {name}", upload, host,
                           size, framing)
        report.run(f"POST in segments cut anywhere, {name}", upload_in_small_pieces, host)
        report.run(f"Expect: 100-continue, {name}", expect_continue, host)
        for how, as_segments in (("one segment", False), ("a segment each", True)):
            for text, targets in (
                    ("two requests for one backend", ["/a/bytes/10", "/a/bytes/20"]),
                    ("ten requests for one backend", ["/a/bytes/3000"] * 10),
                    ("two components", ["/c/1024", "/c/1"]),
                    ("a backend's and a component", ["/a/bytes/10", "/c/1024"]),
                    ("a component and a backend's", ["/c/1024", "/a/bytes/10"]),
                    ("two backends'", ["/a/bytes/10", "/b/bytes/10"]),
                    ("six of all kinds", ["/a/bytes/10", "/c/14336", "/b/bytes/3000", "/c/1",
                                          "/c/65536", "/a/bytes/30"])):
                report.run(f"pipelining: {text} in {how}, {name}", pipelined, host, targets,
                           as_segments)
        report.run(f"a request during another's response, {name}", request_during_response, host)
        report.run(f"responses are streamed, {name}", streamed, host)


def large():
    for name, host in ADDRESSES:
        report.run(f"download of 50 MB, {name}", download, host, LARGE)
        report.run(f"upload of 50 MB, {name}", upload, host, LARGE, "length")


def main():
    global components
    components = Components(sys.argv[1])
    {"small": small, "large": large}[sys.argv[2]]()
    report.exit()


main()

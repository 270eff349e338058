#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks of kernel answers for components.sh: components.py COMPONENTS-DIRECTORY GROUP.

GROUP: answers, ends, handed_over, cut. The configuration has no default pool.
"""
import sys

from rawhttp import (VIP4, VIP6, Components, Conn, Counters, Report, expect, expect_that, get, head,
                     is_reset, large_headers, pieces, sha256)

ADDRESSES = (("v4", VIP4), ("v6", VIP6))
report = Report()
components = None


# --- answers --------------------------------------------------------------------------------------

def component(host, path):
    r = get(path, host)
    components.verify(path, r)
    expect("version", "HTTP/1.1", r.version)
    expect("content-type", "application/octet-stream", r.header("content-type"))
    expect("cache-control", "public, max-age=60", r.header("cache-control"))


def component_many_times(host, path):
    with Conn(host) as c:
        for _ in range(20):
            components.verify(path, c.request(path))


def head_of(host, path):
    with Conn(host) as c:
        for _ in range(3):
            r = c.request(path, "HEAD")
            expect("status", 200, r.status)
            expect("content-length", str(len(components.bodies[path])), r.header("content-length"))
            components.verify(path, c.request(path))  # fails on a body behind the HEAD's answer


def reuse(host):
    before = Counters()
    with Conn(host) as c:
        for i in range(100):
            path = ("/c/1", "/c/1024", "/c/14336")[i % 3]
            components.verify(path, c.request(path))
    expect("connections opened", 1, before.since("TcpActiveOpens"))
    expect("segments sent again", 0, before.since("TcpRetransSegs"))


def with_host_header(name, path, expected):
    with Conn() as c:
        c.send(f"GET {path} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
        r = c.read()
        expect("answer", expected, (r.status, r.by_kernel(), r.body[:40]))


def not_found(host):
    r = get("/nowhere", host)
    expect("answer", (404, True), (r.status, r.by_kernel()))


def not_found_then_closed():
    with Conn() as c:
        expect("status", 404, c.request("/nowhere").status)
        expect("end", "fin", c.end())


def not_a_component(path):
    """Paths that look like /c/1 and are none: 404, as nothing else takes them."""
    with Conn() as c:
        expect("answer", (404, True), (lambda r: (r.status, r.by_kernel()))(c.request(path)))


def denied(host):
    with Conn(host) as c:
        for path in ("/private", "/private/", "/private/x/y", "/private/x?y=1"):
            r = c.request(path)
            expect(f"answer to {path}", (403, True), (r.status, r.by_kernel()))


def denied_in_disguise(target, allowed):
    """`deny` must not be evaded: 403, or nothing that a backend says about it."""
    r = get(target)
    expect_that(r.status in allowed and r.by_kernel(), f"one of {allowed} by the kernel",
                r.summary())


def denied_post():
    with Conn() as c:
        r = c.request("/private/form", "POST", body=b"GET /c/1 HTTP/1.1\r\nHost: a\r\n\r\n")
        expect("answer", (403, True), (r.status, r.by_kernel()))
        expect("end", "fin", c.end())


def redirected(host, path, status, location):
    with Conn(host) as c:
        for _ in range(2):
            r = c.request(path)
            expect("answer", (status, location, True),
                   (r.status, r.header("location"), r.by_kernel()))
        expect("content-length", str(len(r.body)), r.header("content-length"))


def answers():
    for name, host in ADDRESSES:
        for path, body in components.bodies.items():
            report.run(f"component of {len(body)} bytes, {name}", component, host, path)
            report.run(f"component of {len(body)} bytes 20 times on one connection, {name}",
                       component_many_times, host, path)
        for path in ("/c/1", "/c/14336", "/c/65536"):
            report.run(f"HEAD {path}, {name}", head_of, host, path)
        report.run(f"100 requests on one connection, {name}", reuse, host)
        report.run(f"404 without a default pool, {name}", not_found, host)
        report.run(f"deny answers 403, {name}", denied, host)
        report.run(f"redirect answers 301, {name}", redirected, host, "/old", 301, "/c/1")
    report.run("redirect of a prefix answers 308", redirected, VIP4, "/moved/x", 308,
               "https://shop.example/")
    report.run("404 ends the connection with FIN", not_found_then_closed)
    report.run("deny refuses a POST and its body", denied_post)
    for path in ("/c/1/", "/C/1", "/c//1", "/c/./1", "/c/%31", "/c/1;a", "/c/11", "/c"):
        report.run(f"{path} is not the component /c/1", not_a_component, path)
    for target in ("/private%2f", "/%70rivate/", "//private/", "/x/../private/", "/./private/",
                   "/private/.", "/private;a/", "/PRIVATE/", "\\private\\"):
        report.run(f"deny is not evaded by {target}", denied_in_disguise, target, (400, 403, 404))
    report.run("deny is not evaded by absolute form", denied_in_disguise,
               "http://lab.example/private/", (400, 403))
    report.run("host: component of that host", with_host_header, "shop.example", "/hosted",
               (200, True, b"shop\n"))
    report.run("host: case and port do not matter", with_host_header, "Shop.Example:80", "/hosted",
               (200, True, b"shop\n"))
    report.run("host: a wildcard's component", with_host_header, "a.b.wild.example", "/hosted",
               (200, True, b"wild\n"))
    report.run("host: another host does not get it", with_host_header, "other.example", "/hosted",
               (404, True, b"404 Not Found\n"))


# --- ends -----------------------------------------------------------------------------------------

def version_10(host, path):
    with Conn(host) as c:
        components.verify(path, c.request(path, version="1.0"))
        expect("end", "fin", c.end())


def version_10_keep_alive(host):
    """RFC 9112, C.2.2: the client keeps the connection only when the answer says so."""
    with Conn(host) as c:
        for _ in range(3):
            r = c.request("/c/1024", headers=[("Connection", "keep-alive")], version="1.0")
            components.verify("/c/1024", r)
            if "close" in r.options():
                expect("end", "fin", c.end())
                return
            expect("connection", "keep-alive", r.options())


def version_10_without_host():
    """Valid HTTP/1.0, but the kernel answers only with exactly one Host; no pool but the
    component's own takes it."""
    with Conn() as c:
        c.send(b"GET /c/1 HTTP/1.0\r\n\r\n")
        r = c.read()
        expect_that(not r.by_kernel() and r.header("x-backend"), "an answer of a backend",
                    r.summary())
        expect("end", "fin", c.end())


def closed(host, path):
    before = Counters()
    with Conn(host) as c:
        r = c.request(path, headers=[("Connection", "close")])
        components.verify(path, r)
        expect("connection", "close", r.options())
        expect("end", "fin", c.end())
    expect("resets", 0, before.since("TcpEstabResets"))


def closed_by_client(host):
    """The client's FIN is answered with FIN, not with RST."""
    before = Counters()
    with Conn(host) as c:
        components.verify("/c/1024", c.request("/c/1024"))
        c.sock.shutdown(1)
        expect("end", "fin", c.end())
    expect("resets", 0, before.since("TcpEstabResets"))


def request_with_fin(host, path):
    """A request and at once the client's FIN: a half-closed client still gets the whole answer."""
    with Conn(host) as c:
        c.send(head(path))
        c.sock.shutdown(1)
        components.verify(path, c.read())
        expect("end", "fin", c.end())


def closed_without_request(host):
    with Conn(host) as c:
        c.sock.shutdown(1)
        expect("end", "fin", c.end())


def ends():
    for name, host in ADDRESSES:
        for path in ("/c/1024", "/c/65536"):
            report.run(f"HTTP/1.0 {path}: FIN after it, {name}", version_10, host, path)
            report.run(f"connection: close {path}: FIN after it, {name}", closed, host, path)
            report.run(f"request with FIN {path}: whole answer, {name}", request_with_fin, host,
                       path)
        report.run(f"HTTP/1.0 with keep-alive, {name}", version_10_keep_alive, host)
        report.run(f"the client's FIN is answered with FIN, {name}", closed_by_client, host)
        report.run(f"FIN without a request, {name}", closed_without_request, host)
    report.run("HTTP/1.0 without Host goes to a backend", version_10_without_host)


# --- handed over ----------------------------------------------------------------------------------

def by_node(target, method, headers, body):
    """The component's pool takes the request, byte for byte; then the kernel answers again."""
    with Conn() as c:
        r = c.request(target, method, headers, body)
        expect_that(r.header("x-backend") in ("node1", "node2") and not r.by_kernel(),
                    "an answer of a backend", r.summary())
        if "close" not in r.options():
            components.verify("/c/1024", c.request("/c/1024"))


def echoed():
    """What a backend gets is what was sent."""
    body = b"GET /c/1 HTTP/1.1\r\nHost: lab.example\r\n\r\n"
    headers = [("Authorization", "Basic YQ=="), ("Range", "bytes=0-0"), ("X-Odd", " a\t b ")]
    with Conn() as c:
        r = c.request("/a/whoami?q=%2F%00", "POST", headers, body).json()
        expect("url", "/a/whoami?q=%2F%00", r["url"])
        expect("body", sha256(body), r["bodySha256"])
        expect("rawHeaders", ["Host", "lab.example", "Authorization", "Basic YQ==", "Range",
                              "bytes=0-0", "X-Odd", "a\t b", "Content-Length", str(len(body))],
               r["rawHeaders"])


def handed_over():
    for name, target, method, headers, body in (
            ("POST", "/c/1024", "POST", (), b"x=1"),
            ("POST without a body", "/c/1024", "POST", (), b""),
            ("PUT", "/c/1024", "PUT", (), b"x" * 5000),
            ("DELETE", "/c/1024", "DELETE", (), None),
            ("OPTIONS", "/c/1024", "OPTIONS", (), None),
            ("GET with Range", "/c/1024", "GET", [("Range", "bytes=0-9")], None),
            ("GET with Authorization", "/c/1024", "GET", [("Authorization", "Basic YQ==")], None),
            ("GET with a body", "/c/1024", "GET", (), b"hello"),
            ("GET with Expect", "/c/1024", "GET", [("Expect", "100-continue")], b"hello"),
            ("GET with If-Match", "/c/1024", "GET", [("If-Match", '"x"')], None),
            ("GET with a query", "/c/1024?a=1", "GET", (), None),
            ("GET with an empty query", "/c/1024?", "GET", (), None),
            ("GET with Upgrade", "/c/1024", "GET",
             [("Connection", "Upgrade"), ("Upgrade", "websocket")], None)):
        report.run(f"{name} of a component goes to a backend", by_node, target, method, headers,
                   body)
    report.run("a backend gets what was sent", echoed)


# --- requests cut into segments -------------------------------------------------------------------

def cut_component(host, count):
    with Conn(host) as c:
        for path in ("/c/1024", "/c/65536", "/c/1"):
            data = head(path)
            c.send_segments(pieces(data, count or len(data)))
            components.verify(path, c.read())


def cut_node(host, count, headers=()):
    with Conn(host) as c:
        for target, method, body in (("/a/whoami", "GET", None), ("/b/whoami", "POST", b"hello"),
                                     ("/a/whoami", "GET", None)):
            data = head(target, method, headers, body) + (body or b"")
            c.send_segments(pieces(data, count or len(data)))
            r = c.read()
            expect("status", 200, r.status)
            echo = r.json()
            expect("backend", "node1" if target[1] == "a" else "node2", echo["backend"])
            for name, value in headers:
                expect(f"length of {name}", len(value), len(echo["headers"].get(name.lower(), "")))
                expect(name, sha256(value.encode()), sha256(echo["headers"][name.lower()].encode()))
            expect("body", sha256(body or b""), echo["bodySha256"])


def component_with_large_head(host):
    with Conn(host) as c:
        for count in (1, 5, 1):
            c.send_segments(pieces(head("/c/1024", headers=large_headers(6000)), count))
            components.verify("/c/1024", c.read())


def too_large(path, count):
    with Conn() as c:
        try:
            c.send_segments(pieces(head(path, headers=large_headers(18000)), count))
        except OSError as e:  # the answer may come before all is sent
            expect_that(is_reset(e) or isinstance(e, TimeoutError), "431", repr(e))
        r = c.read()
        expect("answer", (431, True, "close"), (r.status, r.by_kernel(), r.options()))
        expect("end", "fin", c.end())


def cut():
    for name, host in ADDRESSES:
        report.run(f"component request in one-byte segments, {name}", cut_component, host, None)
        report.run(f"component request in 3 segments, {name}", cut_component, host, 3)
        report.run(f"backend's request in one-byte segments, {name}", cut_node, host, None)
        report.run(f"backend's request in 3 segments, {name}", cut_node, host, 3)
        report.run(f"6 KB of headers in 5 segments reach a backend, {name}", cut_node, host, 5,
                   large_headers(6000))
        report.run(f"6 KB of headers in one write reach a backend, {name}", cut_node, host, 1,
                   large_headers(6000))
        report.run(f"14 KB of headers in 12 segments reach a backend, {name}", cut_node, host, 12,
                   large_headers(14000))
        report.run(f"component request with 6 KB of headers, {name}", component_with_large_head,
                   host)
    for path in ("/c/1", "/a/whoami"):
        for count in (1, 14):
            report.run(f"18 KB of headers get 431: {path} in {count} segments", too_large, path,
                       count)


def main():
    global components
    components = Components(sys.argv[1])
    groups = {f.__name__: f for f in (answers, ends, handed_over, cut)}
    groups[sys.argv[2]]()
    report.exit()


main()

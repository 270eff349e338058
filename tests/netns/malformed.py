#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests that two parsers could read differently, for components.sh: the kernel refuses them, no
backend sees them, and what follows on the connection is not read."""
from rawhttp import Conn, Report, expect, expect_that, get, is_reset

H = "Host: lab.example\r\n"
MALFORMED = (
    ("bare LF as line end", "GET %s HTTP/1.1\nHost: lab.example\n\n"),
    ("bare LF behind a field", "GET %s HTTP/1.1\r\nHost: lab.example\nX: y\r\n\r\n"),
    ("bare CR in a value", f"GET %s HTTP/1.1\r\n{H}X: a\rb\r\n\r\n"),
    ("space before the colon", "GET %s HTTP/1.1\r\nHost : lab.example\r\n\r\n"),
    ("two Hosts", f"GET %s HTTP/1.1\r\n{H}{H}\r\n"),
    ("no Host", "GET %s HTTP/1.1\r\nX: y\r\n\r\n"),
    ("Content-Length and Transfer-Encoding",
     f"POST %s HTTP/1.1\r\n{H}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("Transfer-Encoding and Content-Length",
     f"POST %s HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"),
    ("two Content-Lengths", f"POST %s HTTP/1.1\r\n{H}Content-Length: 0\r\nContent-Length: 5\r\n\r\n"),
    ("a list as Content-Length", f"POST %s HTTP/1.1\r\n{H}Content-Length: 5, 5\r\n\r\nhello"),
    ("Content-Length with a sign", f"POST %s HTTP/1.1\r\n{H}Content-Length: +5\r\n\r\nhello"),
    ("chunked twice",
     f"POST %s HTTP/1.1\r\n{H}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    ("an unknown transfer coding",
     f"POST %s HTTP/1.1\r\n{H}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    ("a folded field", f"GET %s HTTP/1.1\r\n{H}X: a\r\n b\r\n\r\n"),
    ("white space before the first field", "GET %s HTTP/1.1\r\n Host: lab.example\r\n\r\n"),
    ("NUL in a value", f"GET %s HTTP/1.1\r\n{H}X: a\0b\r\n\r\n"),
    ("NUL in a name", f"GET %s HTTP/1.1\r\n{H}X\0: a\r\n\r\n"),
    ("a line without colon", f"GET %s HTTP/1.1\r\n{H}nonsense\r\n\r\n"),
    ("two spaces in the request line", f"GET  %s HTTP/1.1\r\n{H}\r\n"),
    ("a tab in the request line", f"GET\t%s HTTP/1.1\r\n{H}\r\n"),
    ("no version", f"GET %s\r\n{H}\r\n"),
    ("HTTP/2.0 as version", f"GET %s HTTP/2.0\r\n{H}\r\n"),
    ("http in lower case", f"GET %s http/1.1\r\n{H}\r\n"),
    ("a control character in the target", f"GET %s\x01 HTTP/1.1\r\n{H}\r\n"),
    ("absolute form of another host", f"GET http://other.example%s HTTP/1.1\r\n{H}\r\n"),
    ("X-Forwarded-For of an untrusted peer", f"GET %s HTTP/1.1\r\n{H}X-Forwarded-For: 1.2.3.4\r\n\r\n"),
    ("Forwarded of an untrusted peer", f"GET %s HTTP/1.1\r\n{H}Forwarded: for=1.2.3.4\r\n\r\n"),
    ("Transfer_Encoding, a lookalike",
     f"POST %s HTTP/1.1\r\n{H}Content-Length: 5\r\nTransfer_Encoding: chunked\r\n\r\nhello"),
    ("a TLS handshake", "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03%s\r\n\r\n"),
)


def backends_seen():
    """Requests that the two backends have seen, less the ones made to learn it."""
    return [get(f"/{name}/whoami").json()["requests"] - 1 for name in "ab"]


def malformed_at(template, path, before=(), cut=0):
    """The request comes after the ones to `before`, and in two segments when `cut` is not 0."""
    seen = backends_seen()
    with Conn() as c:
        for target in before:
            expect("status before", 200, c.request(target).status)
        data = (template % path).encode("latin-1")
        try:
            if cut:
                c.send_segments([data[:cut], data[cut:]])
            else:
                c.send(data)
            c.send(b"GET /a/whoami HTTP/1.1\r\nHost: lab.example\r\n\r\n")  # never to be read
            r = c.read()
            expect_that(r.status in (400, 505), "status 400 (505 for a version)", r.summary())
            expect("by kernel, connection", (True, "close"), (r.by_kernel(), r.options()))
            expect("end", "fin", c.end())
        except OSError as e:
            expect_that(not is_reset(e), "400 and FIN", "RST")
            raise
    for i, name in enumerate("ab"):  # each look at a backend is one request there
        seen[i] += 1 + sum(target.startswith(f"/{name}/") for target in before)
    expect("requests at the backends", seen, backends_seen())


def main():
    report = Report()
    for name, template in MALFORMED:
        report.run(f"400 for {name}: component", malformed_at, template, "/c/1024")
        report.run(f"400 for {name}: backend", malformed_at, template, "/a/whoami")
    for name, template in MALFORMED[:8]:
        report.run(f"400 for {name}: in two segments", malformed_at, template, "/a/whoami", (), 30)
        report.run(f"400 for {name}: after a component", malformed_at, template, "/c/1024",
                   ("/c/1024",))
        report.run(f"400 for {name}: after a component and a backend", malformed_at, template,
                   "/a/whoami", ("/c/1024", "/a/bytes/10"))
    report.exit()


main()

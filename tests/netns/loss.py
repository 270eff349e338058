#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Answers over a bad wire, for loss.sh: loss.py COMPONENTS-DIRECTORY NAME CONNECTIONS REQUESTS PATH...

So many keep-alive connections side by side, on each so many requests, which take turns over the
paths; PATH=SIZE is a POST of so many bytes to a /whoami. The last request asks to close, and the
connection must end with FIN. Every byte must be right and no answer may take 10 s. Prints one line
of a check for IPv4 and one for IPv6, each with half of the connections.
"""
import statistics
import sys
import threading
import time

from rawhttp import (VIP4, VIP6, Components, Conn, Mismatch, Report, expect, expect_that, pattern,
                     random_body, sha256)

STALL_S = 10


def exchange(components, c, path, headers):
    """One request and its answer, which is verified."""
    path, _, size = path.partition("=")
    if size:
        body = random_body(int(size))
        r = c.request(path, "POST", headers, body)
        expect("sha256 of the upload", sha256(body), r.json()["bodySha256"])
    else:
        r = c.request(path, headers=headers)
        if path in components.bodies:
            components.verify(path, r)
        else:
            expect(f"status of {path}", 200, r.status)
            wanted = pattern(int(path.rsplit("/", 1)[1]))
            expect_that(r.body == wanted, f"the bytes of {path}", r.body)
    return r.seconds


def worker(components, host, requests, paths, seconds, errors):
    port, i = 0, -1
    try:
        start = time.monotonic()
        with Conn(host, timeout=3 * STALL_S) as c:
            port = c.local_port()
            seconds.append(time.monotonic() - start)
            for i in range(requests):
                headers = [("Connection", "close")] if i == requests - 1 else []
                seconds.append(exchange(components, c, paths[i % len(paths)], headers))
            expect("end", "fin", c.end())
    except (OSError, EOFError, ValueError, Mismatch) as e:
        errors.append(f"port {port}, request {i}: {type(e).__name__}: {e}")


def many(components, host, connections, requests, paths):
    seconds, errors = [], []
    threads = [threading.Thread(target=worker,
                                args=(components, host, requests, paths, seconds, errors))
               for _ in range(connections)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print(f"# mean {statistics.mean(seconds):.3f} s, median {statistics.median(seconds):.3f} s, "
          f"longest {max(seconds):.3f} s", flush=True)
    if errors:
        raise Mismatch("no error", f"{len(errors)} of {connections} connections fail, {errors[0]}")
    expect_that(max(seconds) < STALL_S, f"no answer takes {STALL_S} s", f"{max(seconds):.1f} s")


def main():
    components = Components(sys.argv[1])
    report = Report()
    connections, requests = int(sys.argv[3]) // 2, int(sys.argv[4])
    for family, host in (("v4", VIP4), ("v6", VIP6)):
        report.run(f"{sys.argv[2]}, {connections} connections, {requests} requests each, {family}",
                   many, components, host, connections, requests, sys.argv[5:])
    report.exit()


main()

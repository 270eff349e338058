#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Slow header blocks, and connections that rest, for header_timeout.sh:

    header_timeout.py COMPONENTS-DIRECTORY slow | lost | patient | dead | rest SECONDS

slow: header-timeout is 1 s. lost: the same, and what ends a connection gets lost twice. patient: it
is 10 s, and the backend below /hasty/ closes idle connections long before. dead: 1 s, while no
daemon runs. rest: connections are idle for so long.
Prints one line of a check for each way and each family of addresses.
"""
import select
import sys
import threading
import time

from rawhttp import VIP4, VIP6, Components, Conn, Report, expect, expect_that, head, pattern

ADDRESSES = (("v4", VIP4), ("v6", VIP6))
TIMEOUT_S = 1.0
EARLIEST_S, LATEST_S = 0.9, 3.0
STEP_S = 0.1    # between the bytes of a slow sender
PAUSE_S = 0.6   # in a head that becomes whole in time

# What a connection has asked for before; /keep/ is Node, which leaves idle connections open.
BEFORE = (("first request", None), ("after an answer of Node", "/keep/whoami"),
          ("after a component", "/c/1024"), ("after a long component", "/c/65536"))

report = Report()
components = None


def in_parallel(jobs):
    """Runs (name, function, *args) as checks, each in a thread of its own."""
    threads = [threading.Thread(target=report.run, args=job) for job in jobs]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def answered(c, path):
    """The request is answered by whom its path says. Returns the response."""
    r = c.request(path)
    verify(path, r)
    return r


def verify(path, r):
    if path.startswith("/c/"):
        components.verify(path, r)
        return
    expect(f"status of {path}", 200, r.status)
    expect(f"x-backend of {path}", path.split("/")[1], r.header("x-backend"))
    if "/bytes/" in path:
        expect(f"body of {path}", pattern(int(path.rsplit("/", 1)[1])), r.body)


def readable(c, seconds):
    return bool(select.select([c.sock], [], [], seconds)[0])


def expect_408(c, start):
    """The client reads a whole 408, in time, and then the end of the connection."""
    r = c.read()
    seconds = time.monotonic() - start
    expect("status", 408, r.status)
    expect("server and connection", ("sluice", "close"), (r.header("server"), r.options()))
    expect_that(EARLIEST_S <= seconds <= LATEST_S, f"{EARLIEST_S} to {LATEST_S} s", seconds)
    expect("end", "fin", c.end())


def silent(host, before):
    with Conn(host) as c:
        if before:
            answered(c, before)
        start = time.monotonic()
        c.send(head("/c/1024")[:-10])
        expect_408(c, start)


def byte_by_byte(host, before):
    """Goes on for a while when the answer has come, before it reads."""
    with Conn(host) as c:
        if before:
            answered(c, before)
        start, late = time.monotonic(), 0
        for byte in head("/keep/whoami", headers=[("X-Slow", "x" * 100)]):
            c.send(bytes([byte]))
            if readable(c, 0 if late else STEP_S):
                late += 1
                time.sleep(STEP_S / 2)
            if late == 5:
                break
            expect_that(time.monotonic() - start < LATEST_S + 1, "an answer", "none")
        r = c.read()
        expect("status and connection", (408, "close"), (r.status, r.options()))
        expect("end", "fin", c.end())


def two_pieces(host, path):
    """The time begins anew with each head; together they take longer."""
    text = head(path)
    with Conn(host) as c:
        for _ in range(3):
            c.send(text[:20])
            time.sleep(PAUSE_S)
            c.send(text[20:])
            verify(path, c.read())


def slow_body(host):
    """No time runs in a body."""
    with Conn(host) as c:
        c.send(head("/keep/whoami", "POST", body=b"0123456789"))
        for piece in (b"01234", b"56789"):
            time.sleep(TIMEOUT_S)
            c.send(piece)
        expect("length of the body", 10, c.read("POST").json()["bodyLength"])


def slow_answer(host):
    """Nor while Node takes its time, whose request came in two pieces."""
    text = head("/keep/slow/1500")
    with Conn(host) as c:
        c.send(text[:20])
        time.sleep(STEP_S)
        c.send(text[20:])
        verify("/keep/slow/1500", c.read())


def between(host, path):
    with Conn(host) as c:
        answered(c, path)
        expect("end", "open", c.end(1.5 * TIMEOUT_S))
        answered(c, path)


def slow():
    for name, host in ADDRESSES:
        in_parallel([(f"408: {way}, silence, {name}", silent, host, path) for way, path in BEFORE]
                    + [(f"408: {way}, byte by byte, {name}", byte_by_byte, host, path)
                       for way, path in BEFORE])
        in_parallel([(f"two pieces in time, {path}, {name}", two_pieces, host, path)
                     for path in ("/c/1024", "/c/65536", "/keep/bytes/5000")]
                    + [(f"no 408 in a body, {name}", slow_body, host),
                       (f"no 408 while Node works, {name}", slow_answer, host)]
                    + [(f"no 408 between two requests, {path}, {name}", between, host, path)
                       for path in ("/c/1024", "/keep/whoami")])


def lost():
    """The client has nothing to repeat: the gateway does."""
    for name, host in ADDRESSES:
        report.run(f"408: lost twice, {name}", silent, host, None)


def hasty(host):
    """Node closes its idle connection in the middle of a head, which then goes to a fresh one."""
    text = head("/hasty/whoami")
    with Conn(host) as c:
        before = answered(c, "/hasty/whoami").json()["connections"]
        c.send(text[:20])
        time.sleep(4)
        c.send(text[20:])
        r = c.read()
        verify("/hasty/whoami", r)
        expect("connections that Node has accepted meanwhile", 1, r.json()["connections"] - before)


def patient():
    for name, host in ADDRESSES:
        report.run(f"a head that is slower than Node's keepAliveTimeout, {name}", hasty, host)


def without_daemon(host):
    """Packets of other connections serve its timer."""
    with Conn(host) as c, Conn(host) as other:
        start = time.monotonic()
        c.send(head("/c/1024")[:-10])
        while not readable(c, STEP_S) and time.monotonic() - start < LATEST_S:
            answered(other, "/c/1")
        expect_408(c, start)


def dead():
    for name, host in ADDRESSES:
        report.run(f"408: without a daemon, {name}", without_daemon, host)


def rest(seconds):
    """Connections that have been answered go on after a rest: with the same socket at Node."""
    kinds = (("a component", ["/c/1024"]), ("Node", ["/quiet/bytes/5000"]),
             ("Node, then a component", ["/quiet/bytes/500", "/c/65536"]))
    conns = {(kind, name): Conn(host) for kind, _ in kinds for name, host in ADDRESSES}
    for (kind, _), c in conns.items():
        for path in dict(kinds)[kind]:
            answered(c, path)
    unused = {name: Conn(host) for name, host in ADDRESSES}
    print("# resting", flush=True)
    time.sleep(seconds)
    for (kind, name), c in conns.items():
        report.run(f"{seconds} s of rest after {kind}, {name}", rested, c, dict(kinds)[kind])
    with Conn(VIP4) as c:
        accepted = answered(c, "/quiet/whoami").json()["connections"]
        report.run("Node has still the same connections", expect, "connections", 5, accepted)
    for name, c in unused.items():
        report.run(f"no request for {seconds} s: the client learns that it is over, {name}",
                   unused_for_long, c)


def rested(c, paths):
    for path in paths + ["/c/1"]:
        answered(c, path)
    c.sock.close()


def unused_for_long(c):
    c.send(head("/c/1"))
    expect("end", "rst", c.end())


def main():
    global components
    components = Components(sys.argv[1])
    groups = {"slow": slow, "lost": lost, "patient": patient, "dead": dead}
    if sys.argv[2] == "rest":
        rest(int(sys.argv[3]))
    else:
        groups[sys.argv[2]]()
    report.exit()


main()

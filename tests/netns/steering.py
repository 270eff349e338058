#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks of the way to the backends for steering.sh: steering.py COMPONENTS-DIRECTORY GROUP.

GROUP: turns, pauses, peers, ends, reused_ports, weights, killed PID, served-by NAME..., unavailable.
SLUICE_LONG=1 makes the run with think times 1,000 requests long instead of 150.
"""
import collections
import errno
import os
import random
import signal
import sys
import threading
import time

from rawhttp import (VIP4, VIP6, Components, Conn, Counters, Mismatch, Report, expect, expect_that,
                     get, head, pattern)

ADDRESSES = (("v4", VIP4), ("v6", VIP6))
STALL_S = 0.2  # the shortest retransmission timeout of Linux
report = Report()
components = None


def verify(path, r):
    """The answer is what its path promises, byte for byte."""
    if path in components.bodies:
        components.verify(path, r)
        return
    name = {"a": "node1", "b": "node2"}[path[1]]
    expect(f"answer to {path}", (200, name), (r.status, r.header("x-backend")))
    if "/bytes/" in path:
        body = pattern(int(path.rsplit("/", 1)[1]))
        expect_that(body == r.body, f"the {len(body)} bytes of {path}", r.body)


def in_parallel(jobs):
    """Runs (name, function, *args) as checks, each in a thread of its own."""
    threads = [threading.Thread(target=report.run, args=job) for job in jobs]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


# --- turns ----------------------------------------------------------------------------------------

def path_of(i):
    """The i-th path: component, node1, component, node2; sizes change."""
    return ("/c/1024", f"/a/bytes/{i * 37 % 20000}", "/c/14336" if i % 3 else "/c/1",
            f"/b/bytes/{i * 53 % 20000}")[i % 4]


def turns_on_one_connection(host, count, think_s):
    rng = random.Random(count)
    with Conn(host) as c:
        for i in range(count):
            path = path_of(i)
            verify(path, c.request(path))
            if think_s:
                time.sleep(rng.random() * think_s)


def nothing_sent_again(before):
    """A request that waits for a retransmission is late; a timestamp that goes back is dropped."""
    expect("PAWS drops, segments sent again, timeouts", (0, 0, 0),
           tuple(before.since(name) for name in
                 ("TcpExtPAWSEstab", "TcpRetransSegs", "TcpExtTCPTimeouts")))


def turns():
    before = Counters()
    for name, host in ADDRESSES:
        report.run(f"1,000 requests take turns on one connection, {name}", turns_on_one_connection,
                   host, 1000, 0)
    report.run("nothing was sent again by the client", nothing_sent_again, before)
    before = Counters()
    count = 1000 if os.environ.get("SLUICE_LONG") else 150
    in_parallel([(f"{count} requests take turns with think times, {name}", turns_on_one_connection,
                  host, count, 0.3) for name, host in ADDRESSES])
    report.run("nothing was sent again by the client with think times", nothing_sent_again, before)


# --- pauses ---------------------------------------------------------------------------------------

def paused_once(host, steps):
    """Steps are paths and pauses in seconds. The slowest request: (seconds, path)."""
    slowest = (0, "")
    with Conn(host) as c:
        for step in steps:
            if isinstance(step, str):
                r = c.request(step)
                verify(step, r)
                slowest = max(slowest, (r.seconds, step))
            else:
                time.sleep(step)
    return slowest


def paused(host, steps):
    """No request takes as long as a retransmission timeout. A busy machine may be slow once; what a
    mistake in timestamps or acknowledgements delays is late every time."""
    for _ in range(3):
        seconds, path = paused_once(host, steps)
        if seconds < STALL_S:
            return
    raise Mismatch(f"every answer in {STALL_S} s", f"{path} took {seconds:.3f} s three times")


def close_to_idle_close(host, path):
    """Requests around the moment at which Node closes its idle connections: no request is lost."""
    errors = []

    def one(pause):
        try:
            with Conn(host) as c:
                verify(path, c.request(path))
                time.sleep(pause)
                verify(path, c.request(path))
                verify("/c/1024", c.request("/c/1024"))
        except (OSError, EOFError, Mismatch) as e:
            errors.append(f"after {pause:.3f} s: {e}")

    threads = [threading.Thread(target=one, args=(4.9 + i * 0.02,)) for i in range(70)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    expect("errors", [], errors[:2])


def pauses():
    a, b, hit = "/a/bytes/3000", "/b/bytes/3000", "/c/1024"
    jobs = []
    for name, host in ADDRESSES:
        for steps in ([hit, 5, a, hit, a], [a, 5, hit, a, hit, b], [hit, a, 7, a, hit, a],
                      [a, b, hit, 7, b, a, hit, b], [a, 7, hit, 7, a], [hit, 7, hit]):
            text = ", ".join(f"{s} s" if isinstance(s, int) else s for s in steps)
            jobs.append((f"no stall: {text}, {name}", paused, host, steps))
    in_parallel(jobs)
    in_parallel([(f"requests when Node closes idle connections, {name}", close_to_idle_close, host,
                  "/a/bytes/100") for name, host in ADDRESSES])


# --- peers, ends ----------------------------------------------------------------------------------

def peer(host, address):
    with Conn(host) as c:
        for path, name in (("/a/whoami", "node1"), ("/c/1", None), ("/b/whoami", "node2"),
                           ("/a/whoami", "node1")):
            r = c.request(path)
            if name:
                echo = r.json()
                expect("peer", (name, address, c.local_port()),
                       (echo["backend"], echo["remoteAddress"], echo["remotePort"]))


def one_connection(host):
    """A backend's connection stays while others take turns: 10 requests, one connection there."""
    with Conn(host) as c:
        first = c.request("/a/whoami").json()
        for _ in range(10):
            components.verify("/c/1024", c.request("/c/1024"))
            verify("/b/bytes/10", c.request("/b/bytes/10"))
            last = c.request("/a/whoami").json()
    expect("connections and requests", (first["connections"], first["requests"] + 10),
           (last["connections"], last["requests"]))


def peers():
    for name, host, address in (("v4", VIP4, "10.80.0.2"), ("v6", VIP6, "fd80::2")):
        report.run(f"a backend sees the client's address and port, {name}", peer, host, address)
        report.run(f"a backend keeps its connection, {name}", one_connection, host)


def closed_by_backend(host, target, headers):
    with Conn(host) as c:
        components.verify("/c/1024", c.request("/c/1024"))
        r = c.request(target, headers=headers)
        expect("answer", (200, "node1"), (r.status, r.header("x-backend")))
        expect("end", "fin", c.end())


def version_10(host):
    """Without keep-alive; the body ends with the connection."""
    with Conn(host) as c:
        r = c.request("/a/chunks/5/10", version="1.0")
        expect("answer", (200, "node1", 5), (r.status, r.header("x-backend"),
                                             r.body.count(b"by node1")))
        expect("end", "fin", c.end())


def half_closed(host):
    """The client's FIN rides behind the request: it still gets the whole answer."""
    with Conn(host) as c:
        verify("/a/bytes/100", c.request("/a/bytes/100"))
        components.verify("/c/1024", c.request("/c/1024"))
        c.send(head("/a/bytes/200000"))
        c.sock.shutdown(1)
        verify("/a/bytes/200000", c.read())
        expect("end", "fin", c.end())


def abandon(how):
    """Leaves connections with active and parked legs; the suite looks whether they end."""
    for host in (VIP4, VIP6):
        for last in ("/a/bytes/100", "/b/bytes/100", "/c/1024", "/a/bytes/5000000"):
            c = Conn(host)
            verify("/a/bytes/10", c.request("/a/bytes/10"))
            verify("/b/bytes/10", c.request("/b/bytes/10"))
            c.send(head(last))
            if "5000000" not in last:
                verify(last, c.read())
            if how == "rst":
                c.abort()
            else:
                c.sock.close()


def ends():
    for name, host in ADDRESSES:
        report.run(f"the client asks a backend to close, {name}", closed_by_backend, host,
                   "/a/bytes/5000", [("Connection", "close")])
        report.run(f"a backend closes, {name}", closed_by_backend, host, "/a/close", ())
        report.run(f"HTTP/1.0 to a backend, {name}", version_10, host)
        report.run(f"a half-closed client gets its answer, {name}", half_closed, host)
    report.run("clients leave with FIN", abandon, "fin")
    report.run("clients leave with RST", abandon, "rst")


def connect(host):
    """A connection as soon as the client has a port for it: its own TIME_WAIT lasts a second."""
    end = time.monotonic() + 30
    while True:
        try:
            return Conn(host)
        except OSError as e:
            if e.errno != errno.EADDRNOTAVAIL or time.monotonic() > end:
                raise
            time.sleep(0.05)


def ports(target, header, server):
    """One connection a request on few ports: every port comes up again and again."""
    for name, host in ADDRESSES:
        def many():
            seen = collections.Counter()
            for _ in range(1500):
                with connect(host) as c:
                    r = c.request(target, headers=header)
                    seen[r.status, r.header("x-backend") or r.header("server")] += 1
                    if header:
                        expect("end", "fin", c.end())
            expect("answers", {(200, server): 1500}, dict(seen))
        report.run(f"1,500 connections on 500 ports, {target}, "
                   f"{'the server' if header else 'the client'} closes, {name}", many)


def reused_ports():
    for target, server in (("/c/1024", "sluice"), ("/a/bytes/10", "node1")):
        ports(target, [("Connection", "close")], server)
        ports(target, (), server)


# --- pools ----------------------------------------------------------------------------------------

def weighted(host):
    seen = collections.Counter(get("/bytes/10", host).header("x-backend") for _ in range(120))
    expect_that(sum(seen.values()) == 120 and 80 <= seen["node1"] <= 100,
                "node1 90 and node2 30 of 120 requests, give or take 10", dict(seen))


def weights():
    for name, host in ADDRESSES:
        report.run(f"weights 3 and 1 over 120 connections, {name}", weighted, host)


def served_by(names):
    """The default pool over fresh connections, on one connection, and with components between."""
    def fresh(host):
        seen = collections.Counter(get("/bytes/10", host).header("x-backend") for _ in range(30))
        expect("backends", sorted(names), sorted(seen))

    def same(host):
        with Conn(host) as c:
            for _ in range(10):
                components.verify("/c/1024", c.request("/c/1024"))
                r = c.request("/whoami", "POST", body=b"x" * 3000)
                expect_that(r.status == 200 and r.header("x-backend") in names,
                            f"200 of one of {names}", r.summary())

    for name, host in ADDRESSES:
        report.run(f"default pool is served by {' and '.join(names)}: 30 connections, {name}", fresh,
                   host)
        report.run(f"default pool is served by {' and '.join(names)}: one connection, {name}", same,
                   host)


def is_alive(pid):
    """A zombie whose threads are gone has closed its sockets."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            state = f.read().rpartition(")")[2].split()[0]
        return state not in "ZX" or len(os.listdir(f"/proc/{pid}/task")) > 1
    except OSError:
        return False


def killed(pid):
    """node2, process `pid`, is killed while connections have idle legs to both: only the route that
    leads to it alone fails, and that with 503."""
    def prepare(host, paths):
        c = Conn(host)
        for path in paths:
            verify(path, c.request(path))
        return c

    def goes_on(c):
        with c:
            for _ in range(3):
                r = c.request("/bytes/10")
                expect("answer", (200, "node1"), (r.status, r.header("x-backend")))
                components.verify("/c/1024", c.request("/c/1024"))
            r = c.request("/b/bytes/10")
            expect("answer of the dead backend's route", (503, True), (r.status, r.by_kernel()))

    a, b, hit = "/a/bytes/10", "/b/bytes/10", "/c/1024"
    jobs = []
    for how in ("idle", "busy just before"):
        for name, host in ADDRESSES:
            for paths in ((b, a), (b, hit), (a, b, hit, b)):
                jobs.append((f"a backend is killed, {', '.join(paths)}, {how}, {name}",
                             prepare(host, paths)))
        if how == "idle":
            time.sleep(0.3)  # the clients' delayed ACKs are out
    os.kill(pid, signal.SIGKILL)
    while is_alive(pid):
        time.sleep(0.01)
    for name, c in jobs:
        report.run(name, goes_on, c)


def unavailable():
    def refused(host, method, body):
        with Conn(host) as c:
            components.verify("/c/1024", c.request("/c/1024"))
            r = c.request("/bytes/10", method, body=body)
            expect("answer", (503, True, "close"), (r.status, r.by_kernel(), r.options()))
            expect("end", "fin", c.end())

    for name, host in ADDRESSES:
        for method, body in (("GET", None), ("POST", b"x" * 100), ("POST", b"x" * 100000)):
            report.run(f"503 for {method} of {len(body or b'')} bytes without a backend, {name}",
                       refused, host, method, body)


def main():
    global components
    components = Components(sys.argv[1])
    if sys.argv[2] == "served-by":
        served_by(sys.argv[3:])
    elif sys.argv[2] == "killed":
        killed(int(sys.argv[3]))
    else:
        groups = (turns, pauses, peers, ends, reused_ports, weights, unavailable)
        {f.__name__: f for f in groups}[sys.argv[2]]()
    report.exit()


main()

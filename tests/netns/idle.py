#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""GETs in the moment in which the backend closes the idle connection, for idle.sh:
  idle.py close ADDRESS                 prints after how many seconds the backend closes
  idle.py get NAME ADDRESS PORT SECONDS SPREAD_MS CONNECTIONS ROUNDS [lenient]
Each connection waits SECONDS after a response, give or take SPREAD_MS, and sends the next GET. Any
answer but the right one is an error; `lenient`: errors are printed only.
"""
import concurrent.futures
import random
import statistics
import sys
import threading
import time

from rawhttp import Conn, Mismatch, Report, expect

STAGGER_S = 1.0  # connections begin within that time


def seconds_until_close(address):
    """Three connections at the same time; the median."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return statistics.median(pool.map(wait_for_close, [address] * 3))


def wait_for_close(address):
    with Conn(address, 3000) as conn:
        conn.request("/whoami")
        start = time.monotonic()
        expect("end", "fin", conn.end())
        return time.monotonic() - start


class Crowd:
    """Threads, one for each connection; they sleep nearly all the time."""

    def __init__(self, address, port, seconds, spread):
        self.where = (address, port)
        self.seconds, self.spread = seconds, spread
        self.errors = []

    def converse(self, number, rounds):
        rnd = random.Random(number)
        time.sleep(rnd.random() * STAGGER_S)
        for i in range(rounds):
            try:
                self.converse_once(rnd, number, rounds - i)
                return
            except (Mismatch, OSError, EOFError, ValueError) as e:
                self.errors.append(f"connection {number}: {type(e).__name__}: {e}")

    def converse_once(self, rnd, number, rounds):
        with Conn(*self.where) as conn:
            for i in range(rounds + 1):
                target = f"/a/whoami?connection={number}&n={i}"
                r = conn.request(target)
                expect("answer", (200, "node1", target),
                       (r.status, r.header("x-backend"), r.json().get("url")))
                if i < rounds:
                    time.sleep(self.seconds + rnd.uniform(-self.spread, self.spread))

    def run(self, connections, rounds):
        threads = [threading.Thread(target=self.converse, args=(i, rounds), daemon=True)
                   for i in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self.errors


def main():
    if sys.argv[1] == "close":
        print(seconds_until_close(sys.argv[2]))
        return
    name, address, port, seconds, spread, connections, rounds = sys.argv[2:9]
    report = Report()

    def check():
        crowd = Crowd(address, int(port), float(seconds), float(spread) / 1000)
        errors = crowd.run(int(connections), int(rounds))
        if "lenient" in sys.argv[9:]:
            print(f"# {name}: {len(errors)} errors {errors[:1]}", flush=True)
        elif errors:
            raise Mismatch("0 errors", f"{len(errors)}, the first {errors[0]}")

    report.run(f"{name}: {int(connections) * int(rounds)} GETs within {spread} ms of the close", check)
    report.exit()


main()

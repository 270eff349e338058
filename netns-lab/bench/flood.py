#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The measuring of flood.sh, in the networks that it has made.

Two legitimate loads run side by side at a fixed rate: keep-alive connections, and a connection for
each request. Their latencies count from the moment when a request was due.
"""

import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from table import print_table

LAB = os.environ['LAB']
TOOLS = Path(os.environ['TOOLS'])
SECONDS = int(os.environ['BENCH_SECONDS'])
RATE = int(os.environ['RATE'])
VIP = '10.80.9.9'
LEAD_SECONDS = 1    # the flood begins so long before the load and ends so long after it
ALONE_SECONDS = 3   # of each flood without a load
TARGET = 2.0        # p99, flood on the gateway over the same flood dropped (section 7 of the design)
LOADS = {'keep-alive': ['-r', '2000', '-c', '64'],
         'a connection each': ['-r', '1000', '-c', '256', '-x']}


@dataclass(frozen=True)
class Kind:
    """A kind of run."""

    name: str
    flood: str = ''        # syn or ack
    is_dropped: bool = False


KINDS = (Kind('no flood'), Kind('SYN flood', 'syn'), Kind('SYN flood, dropped', 'syn', True),
         Kind('ACK flood', 'ack'), Kind('ACK flood, dropped', 'ack', True))


def inside(netns, *command):
    """The command in a netns of this lab."""
    return ['nsenter', f'--net=/run/netns/{LAB}-{netns}', '--', *command]


def begin(netns, *command):
    """In the background, with its output."""
    return subprocess.Popen(inside(netns, *command), stdout=subprocess.PIPE, text=True)


def result_of(process):
    """The JSON of its one line."""
    output, _ = process.communicate(timeout=SECONDS + 30)
    return json.loads(output)


def status():
    """`sluice status --json`"""
    done = subprocess.run(inside('gw', os.environ['SLUICE'], 'status', '-c', os.environ['CONF'],
                                 '--json'), stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def flows_of(state):
    """All entries of the flow table, whatever their state."""
    return sum(state['flows'][key] for key in ('open', 'closing', 'closed'))


def begin_flood(flood, seconds):
    """The sender."""
    return begin('flood', str(TOOLS / 'flood'), flood, 'f0', os.environ['GATEWAY_MAC'], VIP, '80',
                 str(RATE), str(seconds))


def begin_drop():
    """The program of one line, in front of the gateway's own at the flood's uplink."""
    process = begin('gw', str(TOOLS / 'drop'), 'gw1')
    if process.stdout.readline() != 'ready\n':
        sys.exit('flood.py: the dropping program does not begin')
    return process


def flows_of_flood(flood):
    """(flow entries, counted connections) that a flood without any load has cost."""
    before = status()
    sent = result_of(begin_flood(flood, ALONE_SECONDS))
    after = status()
    counter = {'syn': 'syn', 'ack': 'cookie_bad'}[flood]
    seen = after['counters'][counter] - before['counters'][counter]
    spent = flows_of(after) - flows_of(before)
    made = after['counters']['cookie_ok'] - before['counters']['cookie_ok']
    print(f'{flood.upper()} flood alone: {sent["sent"]} sent in {sent["seconds"]:.1f} s, {seen} seen '
          f'({counter}); flow entries spent {spent}, connections made {made}; expected 0 and 0')
    return spent, made


def is_spent(flood, spent):
    """A random ACK is a valid cookie once in 2^24 cases: three of them are no chance any more."""
    return max(spent) > (3 if flood == 'ack' else 0)


def measure(kind):
    """{load: result}, with what the flood was and the connections that nobody asked for."""
    drop = begin_drop() if kind.is_dropped else None
    before = status()['counters']
    flood = begin_flood(kind.flood, SECONDS + 2 * LEAD_SECONDS) if kind.flood else None
    time.sleep(LEAD_SECONDS)
    fetches = {load: begin('client', str(TOOLS / 'fetch'), *options, '-t', str(SECONDS), VIP, '80',
                           '/c/1k', str(TOOLS / 'www/c/1k')) for load, options in LOADS.items()}
    results = {load: result_of(process) for load, process in fetches.items()}
    sent = result_of(flood) if flood else {'sent': 0, 'refused': 0, 'seconds': 0}
    after = status()['counters']
    if drop:
        drop.terminate()
        drop.communicate()
    made = after['cookie_ok'] - before['cookie_ok']
    asked = sum(result['connects'] for result in results.values())
    seen = sum(after[key] - before[key] for key in ('syn', 'cookie_bad')) - asked
    return {**results, 'seen': seen / sent['sent'] if sent['sent'] else 0, 'rate': sent['sent'] / sent['seconds'] if sent['seconds'] else 0,
            'extra': made - asked}


def rows_of(kind, runs):
    """One row for each load."""
    for load in LOADS:
        results = [run[load] for run in runs]
        errors = sum(result[key] for result in results
                     for key in ('wrong', 'failed', 'unfinished'))
        yield [kind.name if load == next(iter(LOADS)) else '', load,
               f'{statistics.median(run["rate"] for run in runs):,.0f}',
               f'{statistics.median(run["seen"] for run in runs) * 100:.0f} %',
               *(f'{statistics.median(result[key] for result in results):.3f}'
                 for key in ('p50_ms', 'p90_ms', 'p99_ms', 'max_ms')), str(errors),
               str(sum(result['retrans'] for result in results)),
               str(sum(run['extra'] for run in runs))]


def print_ratios(measured):
    """The target."""
    rows = []
    by_name = {kind.name: runs for kind, runs in measured.items()}
    for flood in ('SYN flood', 'ACK flood'):
        for load in LOADS:
            ratios = [ours[load]['p99_ms'] / theirs[load]['p99_ms'] for ours, theirs in
                      zip(by_name[flood], by_name[f'{flood}, dropped'])]
            ratio = statistics.median(ratios)
            rows.append([f'p99, {flood} / the same dropped, {load}', f'<= {TARGET:g}',
                         f'{ratio:.2f}', 'met' if ratio <= TARGET else 'MISSED'])
    print_table(['', 'target', 'measured', ''], rows)


def main():
    """Exit status 1 when a flow was spent on a flood."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    rounds = int(os.environ['ROUNDS'])
    spent = [is_spent(flood, flows_of_flood(flood)) for flood in ('syn', 'ack')]
    measured = {kind: [] for kind in KINDS}
    for turn in range(rounds):
        for kind in KINDS[turn % len(KINDS):] + KINDS[:turn % len(KINDS)]:
            print(f'flood: {kind.name}', file=sys.stderr, flush=True)
            measured[kind].append(measure(kind))
    print(f'\nLinux {platform.release()}, {os.cpu_count()} CPUs; rounds: {rounds} of {SECONDS} s; '
          'latencies in ms.\nseen: of the flood by the gateway; extra: connections that the gateway made and no client asked for.\n')
    print_table(['', 'load', 'flood/s', 'seen', 'p50', 'p90', 'p99', 'max', 'errors', 'retrans', 'extra'],
                [row for kind, runs in measured.items() for row in rows_of(kind, runs)])
    print()
    print_ratios(measured)
    sys.exit(1 if any(spent) else 0)


if __name__ == '__main__':
    main()

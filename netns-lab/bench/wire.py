#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The measuring of wire.sh, in the networks that it has made: cell by cell, peer by peer, a table."""

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

from table import cell as show, print_table

LAB = os.environ['LAB']
CONNECTIONS = 64
SPARE_SECONDS = 10    # for the load generator to end in
TARGET = 1.5          # mean, Sluice over nginx (section 7 of the design)
COUNTS = ('wrong', 'failed', 'unfinished')


def numbers(name, default):
    """Whole numbers of an environment variable, with blanks between."""
    try:
        return [int(word) for word in os.environ.get(name, '').split() or default.split()]
    except ValueError:
        sys.exit(f'wire.py: {name}={os.environ[name]}: has to have whole numbers')


def number(name, default):
    """The same for one."""
    return numbers(name, default)[0]


@dataclass(frozen=True)
class Peer:
    """Who answers, and behind which wire."""

    name: str
    address: str
    wire: str    # netns of the wire
    server: str  # netns of the server


PEERS = (Peer('sluice', '10.80.9.9', 'wire', 'gw'), Peer('nginx', '10.80.20.1', 'wire2', 'plain'))


@dataclass(frozen=True)
class Cell:
    """One line of the matrix."""

    loss: int  # percent, each way
    rtt: int   # ms
    size: int  # bytes

    def settings(self, seed):
        """Those of the wire."""
        mess = 'reorder=2 dup=1 ' if self.loss else ''
        return (f'loss={self.loss} {mess}delay={self.rtt / 2:g} seed={seed} '
                f'offload={os.environ["OFFLOAD"]}')


def inside(netns, *command):
    """The command in a netns of this lab."""
    return ['nsenter', f'--net=/run/netns/{LAB}-{netns}', '--', *command]


class Wire:
    """The relay of one run; counters() after its end."""

    def __init__(self, peer, settings):
        self.process = subprocess.Popen(
            inside(peer.wire, 'nice', '-n', '-10', os.environ['WIRE'], 'c0', 'g0', settings),
            stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        if self.process.stdout.readline() != 'ready\n':
            sys.exit('wire.py: the wire does not begin')
        return self

    def __exit__(self, *exc):
        self.process.terminate()
        self.counters = self.process.stdout.read()
        self.process.wait()


def measure(peer, cell, seed, requests, limit):
    """The result of one run, a dict."""
    for netns in ('client', peer.server):  # what earlier runs have taught the stack
        subprocess.run(inside(netns, 'ip', 'tcp_metrics', 'flush', 'all'), check=True,
                       stdout=subprocess.DEVNULL)
    path = f'/c/{cell.size}'
    command = [os.environ['FETCH'], '-c', str(CONNECTIONS), '-n', str(requests), '-t', str(limit),
               peer.address, '80', path, str(Path(os.environ['WWW']) / str(cell.size))]
    with Wire(peer, cell.settings(seed)) as wire:
        try:
            done = subprocess.run(inside('client', *command), stdout=subprocess.PIPE, text=True,
                                  check=True, timeout=limit + SPARE_SECONDS)
            result = json.loads(done.stdout)
        except (subprocess.SubprocessError, ValueError) as error:
            print(f'wire.py: {peer.name}: {error}', file=sys.stderr)
            result = {'answers': 0, 'mean_ms': 0, 'p50_ms': 0, 'p90_ms': 0, 'p99_ms': 0, 'max_ms': 0,
                      'wrong': 0, 'failed': 0, 'unfinished': requests, 'retrans': 0}
        time.sleep(cell.rtt / 1000 + 0.1)  # for the client's RSTs
    return {'peer': peer.name, **vars(cell), 'seed': seed, **result, 'wire': wire.counters}


def middle(results, key):
    """Median over the rounds."""
    return statistics.median(result[key] for result in results)


def ratio(ours, theirs, key):
    """Sluice over nginx, the median of each round's own; or None."""
    ratios = [a[key] / b[key] for a, b in zip(ours, theirs) if a[key] and b[key]]
    return statistics.median(ratios) if ratios else None


def rows_of(cell, results):
    """Two lines of the table."""
    ours, theirs = results['sluice'], results['nginx']
    for peer, runs in results.items():
        counts = [str(sum(run[key] for run in runs)) for key in COUNTS]
        ratios = ['', '', '']
        if peer == 'sluice':
            mean = ratio(ours, theirs, 'mean_ms')
            is_right = not any(run[key] for run in ours for key in COUNTS)
            verdict = 'ok' if mean and mean <= TARGET and is_right else 'MISSED'
            ratios = [show(mean, '{:.2f}x'),
                      show(ratio(ours, theirs, 'max_ms'), '{:.2f}x'), verdict]
        title = f'{cell.loss} % {cell.rtt} ms {cell.size}' if peer == 'sluice' else ''
        yield [title, peer, *(f'{middle(runs, key):,.1f}' for key in
                              ('mean_ms', 'p50_ms', 'p90_ms', 'p99_ms', 'max_ms')),
               *counts, f'{middle(runs, "retrans"):.0f}', *ratios]


def print_results(results):
    """All cells."""
    heading = ['loss RTT bytes', '', 'mean ms', 'p50', 'p90', 'p99', 'max', *COUNTS, 'retrans',
               'mean ratio', 'max ratio', f'<= {TARGET}x']
    rows = [row for cell, by_peer in results.items() for row in rows_of(cell, by_peer)]
    print_table(heading, rows)


def congestion_control():
    """nginx's."""
    if os.environ['CONGESTION']:
        return os.environ['CONGESTION']
    done = subprocess.run(inside('plain', 'sysctl', '-n', 'net.ipv4.tcp_congestion_control'),
                          stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


def print_conditions(requests, rounds, seed):
    """What the table's numbers are of."""
    print(f'\nLinux {platform.release()}, {os.cpu_count()} CPUs; {requests} requests over '
          f'{CONNECTIONS} connections, rounds: {rounds}, seed {seed}, offload '
          f'{os.environ["OFFLOAD"]}; nginx: {congestion_control()}.\n'
          'Loss each way, with reorder=2 dup=1 where there is loss. retrans: TcpRetransSegs of the '
          'client.\n')


def main():
    """Exit status 0 when it measured."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    requests, rounds = number('REQUESTS', '2000'), number('ROUNDS', '1')
    seed, limit = number('SEED', '1'), number('LIMIT', '300')
    cells = [Cell(loss, rtt, size) for loss in numbers('LOSS', '0 1 5 10')
             for rtt in numbers('RTT', '0 20 100') for size in numbers('SIZES', '')]
    log = open(os.environ.get('JSON') or os.devnull, 'w', encoding='utf-8')
    results = {}
    for i, cell in enumerate(cells):
        results[cell] = {peer.name: [] for peer in PEERS}
        for turn in range(rounds):
            for peer in PEERS if (i + turn) % 2 == 0 else PEERS[::-1]:
                result = measure(peer, cell, seed + turn, requests, limit)
                results[cell][peer.name].append(result)
                print(json.dumps(result), file=log, flush=True)
                print(f'{cell.loss} % {cell.rtt} ms {cell.size} {peer.name}: mean '
                      f'{result["mean_ms"]:.1f} max {result["max_ms"]:.1f} ms, '
                      f'{result["unfinished"]} unfinished', file=sys.stderr, flush=True)
    print_conditions(requests, rounds, seed)
    print_results(results)


if __name__ == '__main__':
    main()

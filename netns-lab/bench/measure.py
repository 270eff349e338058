# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs one load at a time and measures it: Lab.measure(), and rounds() for a whole case.

CPU time is the busy time of the whole machine, clients included: BPF programs run inside the system
calls of others. So it counts what else runs on the machine, too.
"""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_SECOND = os.sysconf('SC_CLK_TCK')
BUSY_FIELDS = (0, 1, 2, 5, 6)  # proc_stat(5): user, nice, system, irq, softirq
SPARE_SECONDS = 20             # for a load generator to end in


@dataclass(frozen=True)
class Sample:
    """One contestant in one round."""

    requests: int
    rate: float    # requests per second
    cpu_us: float  # microseconds of CPU for each request, whole machine
    p50_us: float
    p99_us: float
    errors: int    # refused, reset, cut short, timed out, or not 2xx


def busy_seconds():
    """CPU seconds that the machine has been busy since its start, all CPUs."""
    fields = Path('/proc/stat').read_text().split('\n', 1)[0].split()[1:]
    return sum(int(fields[i]) for i in BUSY_FIELDS) / TICKS_PER_SECOND


def children_of(pid):
    """Process ids."""
    children = []
    for stat in Path('/proc').glob('[0-9]*/stat'):
        try:
            parent = int(stat.read_text().rsplit(')', 1)[1].split()[1])
        except OSError:
            continue  # it has ended
        if parent == pid:
            children.append(int(stat.parent.name))
    return children


class Lab:
    """The lab that bench.sh brought up."""

    def __init__(self, environment):
        self.client = ['nsenter', f'--net=/run/netns/{environment["LAB"]}-client', '--']
        self.cpus = os.sched_getaffinity(0)
        self.one_cpu = {max(self.cpus)}
        nginx = int(environment['NGINX_PID'])
        self.servers = [nginx, *children_of(nginx), int(environment['NODE_PID'])]
        self.gateway = int(environment['GATEWAY_PID'])
        self.reflector = int(environment['REFLECTOR_PID'])

    def bind_servers(self, one_cpu):
        """All threads of nginx and Node to one CPU, or to all."""
        for pid in self.servers:
            for thread in Path(f'/proc/{pid}/task').iterdir():
                os.sched_setaffinity(int(thread.name), self.one_cpu if one_cpu else self.cpus)

    def load(self, command, one_cpu, seconds):
        """Runs a load generator in the client's netns; its result, a dict."""
        if one_cpu:
            command = ['taskset', '-c', str(*self.one_cpu), *command]
        done = subprocess.run([*self.client, *command], stdout=subprocess.PIPE, text=True,
                              check=True, timeout=seconds + SPARE_SECONDS)
        return json.loads(done.stdout.rstrip().rsplit('\n', 1)[-1])

    def measure(self, case, contestant, seconds):
        """A Sample."""
        command = case.command(contestant, seconds)
        before = busy_seconds()
        result = self.load(command, case.one_cpu, seconds)
        busy_us = (busy_seconds() - before) * 1e6
        requests = result['requests']
        return Sample(
            requests=requests,
            rate=requests / result['duration_us'] * 1e6,
            cpu_us=busy_us / requests if requests and case.has_cpu else 0,
            p50_us=result['p50_us'],
            p99_us=result['p99_us'],
            errors=result['errors'],
        )

    def rounds(self, case, count, seconds):
        """{contestant: [Sample of each round]}; each round begins with another contestant."""
        contestants = list(case.urls)
        samples = {contestant: [] for contestant in contestants}
        self.bind_servers(case.one_cpu)
        try:
            for i in range(count):
                first = i % len(contestants)
                for contestant in contestants[first:] + contestants[:first]:
                    samples[contestant].append(self.measure(case, contestant, seconds))
        finally:
            self.bind_servers(False)
        return samples

# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs one load at a time and measures it: Lab.measure(), and rounds() for a whole case.

CPU time is the busy time of the whole machine, clients included, since BPF programs run inside the
system calls of others. What user processes outside the bench took meanwhile is subtracted; all that
belongs to nobody (interrupts, kernel threads) stays in.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_SECOND = os.sysconf('SC_CLK_TCK')
BUSY_FIELDS = (0, 1, 2, 5, 6)  # proc_stat(5): user, nice, system, irq, softirq
PF_KTHREAD = 0x00200000        # include/linux/sched.h
SPARE_SECONDS = 20             # for a load generator to end in


@dataclass(frozen=True)
class Sample:
    """One contestant in one round."""

    requests: int
    rate: float    # requests per second
    cpu_us: float  # microseconds of CPU for each request
    p50_us: float
    p99_us: float
    errors: int    # refused, reset, cut short, timed out, or not 2xx
    others: float  # share of the machine that other processes took, 0 to 1


def busy_seconds():
    """CPU seconds that the machine has been busy since its start, all CPUs."""
    fields = Path('/proc/stat').read_text().split('\n', 1)[0].split()[1:]
    return sum(int(fields[i]) for i in BUSY_FIELDS) / TICKS_PER_SECOND


def processes():
    """[(pid, parent, CPU seconds)] of user processes; parents have the time of ended children."""
    found = []
    for stat in Path('/proc').glob('[0-9]*/stat'):
        try:
            fields = stat.read_text().rsplit(')', 1)[1].split()  # proc_pid_stat(5), from field 3 on
        except OSError:
            continue  # it has ended
        if int(fields[6]) & PF_KTHREAD:
            continue
        ticks = sum(int(field) for field in fields[11:15])  # utime, stime, cutime, cstime
        found.append((int(stat.parent.name), int(fields[1]), ticks / TICKS_PER_SECOND))
    return found


def seconds_of_others(own):
    """CPU seconds of all user processes but the given ones and their children."""
    found = processes()
    parents = {pid: parent for pid, parent, _ in found}
    total = 0.0
    for pid, _, seconds in found:
        ancestor = pid
        while ancestor in parents and ancestor not in own:
            ancestor = parents[ancestor]
        if ancestor not in own:
            total += seconds
    return total


class Lab:
    """The lab that bench.sh brought up."""

    def __init__(self, environment):
        self.client = ['nsenter', f'--net=/run/netns/{environment["LAB"]}-client', '--']
        self.cpus = os.sched_getaffinity(0)
        self.one_cpu = {max(self.cpus)}
        nginx = int(environment['NGINX_PID'])
        workers = [pid for pid, parent, _ in processes() if parent == nginx]
        self.servers = [nginx, *workers, int(environment['NODE_PID'])]
        self.gateway = int(environment['GATEWAY_PID'])
        self.reflector = int(environment['REFLECTOR_PID'])
        self.own = {os.getppid(), self.gateway, *self.servers}  # bench.sh is nginx's parent, too

    def bind_servers(self, one_cpu):
        """All threads of nginx and Node to one CPU, or to all."""
        for pid in self.servers:
            try:
                for thread in Path(f'/proc/{pid}/task').iterdir():
                    os.sched_setaffinity(int(thread.name), self.one_cpu if one_cpu else self.cpus)
            except (FileNotFoundError, ProcessLookupError):
                pass  # nginx's cache loader ends after a minute

    def load(self, command, one_cpu, seconds):
        """Runs a load generator in the client's netns; its result, a dict."""
        if one_cpu:
            command = ['taskset', '-c', str(*self.one_cpu), *command]
        done = subprocess.run([*self.client, *command], stdout=subprocess.PIPE, text=True,
                              check=True, timeout=seconds + SPARE_SECONDS)
        return json.loads(done.stdout.rstrip().rsplit('\n', 1)[-1])

    def measure(self, case, contestant, seconds):
        """A Sample; without requests, but with an error, when the load generator failed."""
        command = case.command(contestant, seconds)
        others, busy, began = seconds_of_others(self.own), busy_seconds(), time.monotonic()
        try:
            result = self.load(command, case.one_cpu, seconds)
        except (subprocess.SubprocessError, ValueError) as error:
            print(f'bench: {contestant}: {error}', file=sys.stderr)
            result = {'requests': 0, 'duration_us': 1, 'p50_us': 0, 'p99_us': 0, 'errors': 1}
        elapsed, busy = time.monotonic() - began, busy_seconds() - busy
        others = seconds_of_others(self.own) - others
        requests = result['requests']
        return Sample(
            requests=requests,
            rate=requests / result['duration_us'] * 1e6,
            cpu_us=(busy - others) / requests * 1e6 if requests and case.has_cpu else 0,
            p50_us=result['p50_us'],
            p99_us=result['p99_us'],
            errors=result['errors'],
            others=others / elapsed / len(self.cpus),
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

# SPDX-License-Identifier: GPL-2.0-or-later
"""Run time of the BPF programs of this lab, in a round of its own.

The kernel counts only while someone asks it to, which costs every program of the machine two
readings of the clock for each run. It is asked through BPF_ENABLE_STATS, which ends with its file
descriptor, and not through the sysctl kernel.bpf_stats_enabled, which would have to be put back.
"""

import ctypes
import json
import os
import statistics
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import cases

BPF_STATS_RUN_TIME = 0
REPEATS = 3
SECONDS = 1
RARE = 0.01  # runs per request: left over from the load before


@dataclass(frozen=True)
class ProgramTime:
    """One program under one load."""

    load: str
    name: str
    ns_per_run: float
    runs_per_request: float


@contextmanager
def run_time_stats():
    """The kernel counts runs and their time inside."""
    libbpf = ctypes.CDLL('libbpf.so.1', use_errno=True)
    fd = libbpf.bpf_enable_stats(BPF_STATS_RUN_TIME)
    if fd < 0:
        raise OSError(ctypes.get_errno(), 'BPF_ENABLE_STATS')
    try:
        yield
    finally:
        os.close(fd)


def counters_of(pid):
    """{program id: (ns, runs)} of the programs that a process holds; labs share their names."""
    counters = {}
    for fd in Path(f'/proc/{pid}/fdinfo').iterdir():
        try:
            lines = fd.read_text().splitlines()
        except OSError:
            continue  # closed meanwhile
        fields = dict(line.split(':', 1) for line in lines if ':' in line)
        if 'run_time_ns' in fields:
            counters[int(fields['prog_id'])] = int(fields['run_time_ns']), int(fields['run_cnt'])
    return counters


def program_names():
    """{program id: name}"""
    listed = subprocess.run(['bpftool', '-j', 'prog', 'show'], stdout=subprocess.PIPE, check=True)
    return {program['id']: program.get('name', '') for program in json.loads(listed.stdout)}


def loads():
    """(what, case, contestant, arguments of wrk.lua) of each load; all on one connection."""
    hit = cases.HIT_1
    large = replace(hit, urls=cases.HIT_14K.urls)
    return [
        ('1 KB hit, short headers', hit, cases.SLUICE, []),
        ("1 KB hit, a browser's headers", hit, cases.SLUICE, ['browser']),
        ('14 KB hit', large, cases.SLUICE, []),
        ('1 KB hit, a connection for each', cases.CLOSE, cases.SLUICE, []),
        ('miss', cases.MISS_1, cases.SLUICE, []),
        ('the floor', hit, cases.FLOOR, []),
    ]


def time_once(lab, pid, command):
    """{program id: (ns per run, runs per request)} of those that took part in one load."""
    before = counters_of(pid)
    requests = lab.load(command, True, SECONDS)['requests'] or 1
    times = {}
    for number, (ns, runs) in counters_of(pid).items():
        ns_before, runs_before = before.get(number, (0, 0))
        if runs - runs_before > RARE * requests:
            times[number] = ((ns - ns_before) / (runs - runs_before),
                             (runs - runs_before) / requests)
    return times


def time_programs(lab):
    """[ProgramTime], medians of a few short loads."""
    names = program_names()
    measured = {}  # (load, name): [(ns per run, runs per request)]
    lab.bind_servers(True)
    try:
        with run_time_stats():
            for what, case, contestant, arguments in loads() * REPEATS:
                pid = lab.reflector if contestant == cases.FLOOR else lab.gateway
                command = case.command(contestant, SECONDS, *arguments)
                for number, pair in time_once(lab, pid, command).items():
                    measured.setdefault((what, names.get(number, '?')), []).append(pair)
    finally:
        lab.bind_servers(False)
    return [ProgramTime(what, name, *(statistics.median(column) for column in zip(*pairs)))
            for (what, name), pairs in measured.items()]


def browser_ns(times):
    """ns per run of uplink_ingress with a browser's headers, or None."""
    for one in times:
        if one.name == 'uplink_ingress' and 'browser' in one.load:
            return one.ns_per_run
    return None


def parser_ns():
    """ns of the parser for a browser's request of 667 bytes, without the copy that precedes it: the
    programs of tests/prog/http_parse.bpf.c, alone. None: they cannot be run."""
    build = Path(__file__).resolve().parents[2] / 'build/prog'
    command = [build / 'http_parse_load', build / 'http_parse.bpf.o', '200000']
    best = {}
    for _ in range(REPEATS):
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        for line in ran.stdout.splitlines():
            words = line.split()
            if words[-1] == 'ns' and words[1] == '667':
                best[words[0]] = min(best.get(words[0], 1e9), float(words[-2]))
    if 'copy_only' not in best or 'parse_request' not in best:
        return None
    return best['parse_request'] - best['copy_only']

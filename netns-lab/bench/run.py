#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark, in the lab that bench.sh has prepared: measures, then prints the tables."""

import os
import platform
import signal
import sys

import cases
import measure
import programs
import report

WARM_UP_SECONDS = 2
PROGRAM_TIME = 'program time'


def caption(text):
    """A heading on standard output."""
    print(f'\n{text}\n{"-" * len(text)}')


def progress(text):
    """What happens now, on standard error."""
    print(f'bench: {text}', file=sys.stderr, flush=True)


def run_cases(lab, rounds, seconds, only):
    """{case: {contestant: [Sample]}}"""
    results = {}
    for case in cases.CASES:
        if only not in case.name:
            continue
        progress(f'{case.name}: {", ".join(case.urls)}')
        results[case] = lab.rounds(case, rounds, seconds)
    return results


def print_report(results, times):
    """All tables that have rows."""
    if results:
        report.print_conditions(results)
        caption('Measured: medians; CPU per request, all, client included; gain: of Sluice over it')
        report.print_measured(results)
    if times:
        caption('BPF programs, one connection, one CPU (with two readings of the clock)')
        report.print_programs(times)
    caption('Targets (section 7 of the design)')
    report.print_targets(results, programs.browser_ns(times), programs.parser_ns())


def main():
    """Exit status 0 when something was measured, whatever the numbers are."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    rounds, seconds = int(os.environ['ROUNDS']), int(os.environ['BENCH_SECONDS'])
    only = os.environ['ONLY']
    lab = measure.Lab(os.environ)
    progress('warming up Node')
    lab.load(cases.MISS_64.command(cases.NODE, WARM_UP_SECONDS), False, WARM_UP_SECONDS)
    results = run_cases(lab, rounds, seconds, only)
    times = []
    if only in PROGRAM_TIME:
        progress(PROGRAM_TIME)
        times = programs.time_programs(lab)
    if not results and not times:
        names = '; '.join([*(case.name for case in cases.CASES), PROGRAM_TIME])
        sys.exit(f'bench: ONLY={only}: no case has that in its name; there are: {names}')
    print(f'\nLinux {platform.release()}, {len(lab.cpus)} CPUs; rounds: {rounds} of {seconds} s.')
    print_report(results, times)


if __name__ == '__main__':
    main()

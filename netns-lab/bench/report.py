# SPDX-License-Identifier: GPL-2.0-or-later
"""The tables. Values are medians of the rounds; ratios are medians of each round's own ratio.

Rounds in which other processes took much of the machine are left out where at least half remain.
"""

import statistics

import cases
from table import cell, print_table

METRIC_NAMES = {'cpu_us': 'CPU per request', 'rate': 'requests/s', 'p50_us': 'p50',
                'p99_us': 'p99'}
DISTURBED = 0.1  # share of the machine that others took


def calm_ones(rounds):
    """Tuples of samples without those that others disturbed, if at least half of them is left."""
    calm = [samples for samples in rounds
            if all(sample.others <= DISTURBED for sample in samples)]
    return calm if 2 * len(calm) >= len(rounds) else rounds


def median_of(samples, metric):
    """Of one contestant; 0 when it has no answers at all."""
    values = [getattr(sample, metric) for (sample,) in calm_ones(list(zip(samples)))
              if sample.requests]
    return statistics.median(values) if values else 0


def ratio_of(top, bottom, metric):
    """Median over rounds of two contestants, or None."""
    pairs = [(getattr(a, metric), getattr(b, metric))
             for a, b in calm_ones(list(zip(top, bottom)))]
    ratios = [a / b for a, b in pairs if a and b]
    return statistics.median(ratios) if ratios else None


def spread_of(samples):
    """Distance of the middle half's ends of the requests per second, in percent of the median."""
    rates = [sample.rate for sample in samples if sample.requests]
    if len(rates) < 2:
        return None
    low, _, high = statistics.quantiles(rates, n=4, method='inclusive')
    return (high - low) / statistics.median(rates) * 100


def latency(us):
    """With a decimal where a microsecond is much."""
    return cell(us, '{:.1f}' if us < 100 else '{:,.0f}')


def measured_rows(case, by_contestant):
    """One row for each contestant."""
    ours = by_contestant[cases.SLUICE]
    for contestant, samples in by_contestant.items():
        rate = ratio_of(ours, samples, 'rate')
        cpu = ratio_of(samples, ours, 'cpu_us')
        is_open = isinstance(case, cases.MixedCase)  # the rate is given, not found
        yield [f'  {contestant}',
               cell(median_of(samples, 'rate'), '{:,.0f}'),
               cell(median_of(samples, 'cpu_us'), '{:.1f}'),
               latency(median_of(samples, 'p50_us')),
               latency(median_of(samples, 'p99_us')),
               '-' if is_open else cell(rate, '{:.2f}x'),
               cell(cpu, '{:.2f}x'),
               '-' if is_open else cell(spread_of(samples), '{:.0f} %'),
               str(sum(sample.errors for sample in samples))]


def print_conditions(results):
    """How disturbed the measurement was."""
    others = [sample.others * 100 for by_contestant in results.values()
              for samples in by_contestant.values() for sample in samples]
    if others:
        print(f'Other processes took {statistics.median(others):.0f} % of the machine (median), '
              f'{max(others):.0f} % at most. Their CPU time\nis subtracted; rounds with more than '
              f'{DISTURBED * 100:.0f} % of it are left out where at least half remain.')


def print_measured(results):
    """Everything, case by case."""
    heading = ['', 'req/s', 'CPU us', 'p50 us', 'p99 us', 'gain req/s', 'gain CPU', 'spread',
               'errors']
    rows = []
    for case, by_contestant in results.items():
        rows.append([case.name] + [''] * (len(heading) - 1))
        rows.extend(measured_rows(case, by_contestant))
    print_table(heading, rows)


def verdict(ratio, is_met):
    """The last column."""
    if ratio is None:
        return 'not measured'
    return 'met' if is_met else 'MISSED'


def target_row(target, by_contestant):
    """What, target, measured, verdict."""
    ratio = ratio_of(by_contestant[target.top], by_contestant[target.bottom], target.metric)
    sign = '>=' if target.at_least else '<='
    what = f'{target.case.name}: {METRIC_NAMES[target.metric]}, {target.top} / {target.bottom}'
    return [what, f'{sign} {target.limit:g}', cell(ratio, '{:.2f}'),
            verdict(ratio, ratio is not None and target.is_met(ratio))]


def print_targets(results, browser_ns, parser_ns=None):
    """Those of section 7 that this command measures."""
    rows = [target_row(target, results[target.case]) for target in cases.TARGETS
            if target.case in results]
    if browser_ns is not None:
        rows.append(["1 KB hit, a browser's headers: ns of uplink_ingress",
                     f'<= {cases.BROWSER_TARGET_NS}', f'{browser_ns:.0f}',
                     verdict(browser_ns, browser_ns <= cases.BROWSER_TARGET_NS)])
    if browser_ns is not None and parser_ns is not None:
        rows.append(['of which the parser takes, measured alone', '', f'{parser_ns:.0f}',
                     f'{100 * parser_ns / browser_ns:.0f} %'])
    print_table(['', 'target', 'measured', ''], rows)


def print_programs(times):
    """Run time of each program under each load."""
    rows = [[one.load, one.name, f'{one.ns_per_run:.0f}', f'{one.runs_per_request:.2f}']
            for one in times]
    print_table(['', 'program', 'ns/run', 'runs/request'], rows)

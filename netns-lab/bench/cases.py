# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured against whom, and the targets of section 7 of the design. No measuring here."""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

SLUICE = 'sluice'
STATIC = 'nginx static'
CACHE = 'nginx proxy_cache'
FLOOR = 'reflector (floor)'
NODE = 'Node alone'
PROXY = 'nginx proxy'

SLUICE_URL = os.environ['SLUICE_URL']
NGINX_URL = os.environ['NGINX_URL']
CACHE_URL = os.environ['CACHE_URL']
NODE_URL = os.environ['NODE_URL']
FLOOR_URL = os.environ['FLOOR_URL']

MISS = '/a/bytes/1000'  # Node's cheapest answer: what is left is the cost of the way to it
MISS_URLS = {SLUICE: SLUICE_URL + MISS, NODE: NODE_URL + MISS, PROXY: NGINX_URL + MISS}

WRK_SCRIPT = str(Path(__file__).with_name('wrk.lua'))

MIXED_RATE = 12_500  # requests per second, of which 8 % are misses
MIXED_CONNECTIONS = 32


@dataclass(frozen=True, eq=False)
class WrkCase:
    """A closed loop: each of `connections` sends its next request when the answer is there."""

    name: str
    urls: dict  # contestant: URL
    connections: int
    threads: int = 2
    one_cpu: bool = False  # client, nginx and Node on one CPU: no waking of idle ones
    close: bool = False    # a new connection for each request
    has_cpu: bool = True   # CPU time per request means something

    def command(self, contestant, seconds, *arguments):
        """The command line; `arguments` are those of wrk.lua."""
        close = ['-H', 'Connection: close'] if self.close else []
        return ['wrk', f'-t{self.threads}', f'-c{self.connections}', f'-d{seconds}s', *close,
                '-s', WRK_SCRIPT, self.urls[contestant], '--', *arguments]


@dataclass(frozen=True, eq=False)
class MixedCase:
    """An open loop of hits and misses: the same misses for all, no hits for Node alone."""

    name: str
    urls: dict  # contestant: URL of its origin
    hit: str
    one_cpu: bool = False
    has_cpu: bool = False  # Node alone gets fewer requests

    def command(self, contestant, seconds):
        """The command line of mixed.c."""
        origin = urlsplit(self.urls[contestant])
        hit = '-' if contestant == NODE else self.hit
        return [os.environ['MIXED'], origin.hostname, str(origin.port or 80), hit, MISS,
                str(MIXED_RATE), str(MIXED_CONNECTIONS), str(seconds)]


def hit_urls(size):
    """Sluice and nginx with a component of that size."""
    return {SLUICE: f'{SLUICE_URL}/c/{size}', STATIC: f'{NGINX_URL}/c/{size}'}


ALL_HITS = {**hit_urls('1k'), CACHE: f'{CACHE_URL}/a/bytes/1024', FLOOR: f'{FLOOR_URL}/c/1k'}

HIT_1 = WrkCase('1 KB hit, 1 connection, one CPU', ALL_HITS, 1, threads=1, one_cpu=True)
HIT_128 = WrkCase('1 KB hit, 128 connections', ALL_HITS, 128)
HIT_14K = WrkCase('14 KB hit, 64 connections', hit_urls('14k'), 64)
HIT_32K = WrkCase('32 KB hit, 64 connections', hit_urls('32k'), 64)
HIT_64K = WrkCase('64 KB hit, 64 connections', hit_urls('64k'), 64)
CLOSE = WrkCase('1 KB hit, a connection for each, one CPU', hit_urls('1k'), 1, threads=1,
                one_cpu=True, close=True)
MISS_1 = WrkCase('miss, 1 connection, one CPU', MISS_URLS, 1, threads=1, one_cpu=True)
MISS_64 = WrkCase('miss, 64 connections', MISS_URLS, 64)
MIXED = MixedCase('92 % hits, 8 % misses: the misses',
                  {SLUICE: SLUICE_URL, NODE: NODE_URL, PROXY: NGINX_URL}, '/c/1k')

CASES = [HIT_1, HIT_128, HIT_14K, HIT_32K, HIT_64K, CLOSE, MISS_1, MISS_64, MIXED]


@dataclass(frozen=True)
class Target:
    """`top` over `bottom` in one case and one metric (a field of measure.Sample)."""

    case: object
    metric: str
    top: str
    bottom: str
    limit: float
    at_least: bool

    def is_met(self, ratio):
        """True when the ratio is on the right side of the limit."""
        return ratio >= self.limit if self.at_least else ratio <= self.limit


TARGETS = [
    Target(HIT_1, 'cpu_us', STATIC, SLUICE, 2.7, True),
    Target(HIT_1, 'cpu_us', CACHE, SLUICE, 3.0, True),
    Target(HIT_1, 'cpu_us', SLUICE, FLOOR, 1.25, False),
    Target(HIT_128, 'cpu_us', STATIC, SLUICE, 4.0, True),
    Target(HIT_128, 'cpu_us', SLUICE, FLOOR, 1.25, False),
    Target(HIT_14K, 'rate', SLUICE, STATIC, 3.0, True),
    Target(HIT_32K, 'rate', SLUICE, STATIC, 1.3, True),
    Target(CLOSE, 'cpu_us', STATIC, SLUICE, 1.7, True),
    Target(MISS_1, 'rate', SLUICE, NODE, 0.97, True),
    Target(MISS_1, 'p50_us', SLUICE, NODE, 1.05, False),
    Target(MISS_64, 'rate', SLUICE, NODE, 0.97, True),
    Target(MISS_64, 'p50_us', SLUICE, NODE, 1.05, False),
    Target(MIXED, 'p99_us', SLUICE, NODE, 1.2, False),
]

BROWSER_TARGET_NS = 400  # of uplink_ingress, with a real browser's request headers

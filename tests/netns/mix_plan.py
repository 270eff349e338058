# SPDX-License-Identifier: GPL-2.0-or-later
"""What the connections of mix.sh do, by a seed, and what each response must be.

A plan is a list of connections, a connection a list of steps:
  {"method", "target", "size": bytes of the body or None, "framing": "length" | "chunked",
   "expect": 100-continue is asked for, "chunk": bytes of a chunk}
Bodies are body(size), so that a step is small and a client in another language can make them.
verify() holds a rawhttp.Response against its step.
"""
import random

from rawhttp import Components, expect, expect_that, pattern, sha256

POOLS = {"/a": ("node1",), "/b": ("node2",), "/l": ("local1",), "": ("node1", "node2")}
SMALL = (0, 1, 100, 1447, 1448, 1449, 4096)
LARGE = (65535, 65536, 70001, 300_000)
HUGE = 5 * 1024 * 1024
BYTES = (0, 1, 1448, 5000, 30_000)
TRAP = b"\r\n\r\nGET /c/1024 HTTP/1.1\r\nHost: lab.example\r\n\r\n"
BLOCK = 65536


def body(size):
    """Bytes in which requests stand that nobody may take for some; a prefix of any longer one."""
    block = (TRAP + bytes(range(256))) * (BLOCK // 300 + 1)
    return (block * (size // len(block) + 1))[:size]


def step(method, target, size=None, **more):
    return {"method": method, "target": target, "size": size, "framing": "length",
            "expect": False, "chunk": 1000, **more}


def upload(rnd, pool, huge):
    roll = rnd.random()
    size = rnd.choice(SMALL) if roll < 0.7 else rnd.choice(LARGE)
    if roll > 1 - huge:
        size = HUGE
    return step(rnd.choice(("POST", "POST", "PUT")), f"{pool}/whoami?n={rnd.randrange(10 ** 6)}", size,
                framing=rnd.choice(("length", "chunked")), expect=rnd.random() < 0.2,
                chunk=rnd.choice((7, 1000, 1448, 20_000)) if size < 100_000 else 20_000)


def random_step(rnd, huge):
    """One request: a third of them are for components."""
    pool = rnd.choice(("/a", "/a", "/b", "/b", "/l", "/l", ""))
    roll = rnd.random()
    if roll < 0.34:
        size = rnd.choice((1, 1024, 1024, 1024, 14336, 65536))
        return step(rnd.choice(("GET", "GET", "GET", "HEAD")), f"/c/{size}")
    if roll < 0.52:
        return upload(rnd, pool, huge)
    if roll < 0.62:
        return step("GET", f"{pool}/whoami?n={rnd.randrange(10 ** 6)}")
    if roll < 0.74:
        return step(rnd.choice(("GET", "HEAD")), f"{pool}/bytes/{rnd.choice(BYTES)}")
    if roll < 0.86:
        return step(rnd.choice(("GET", "GET", "HEAD", "DELETE")),
                    f"{pool}/status/{rnd.choice((304, 204, 404, 500))}")
    if roll < 0.94:
        return step("GET", f"{pool}/chunks/{rnd.randrange(6)}/{rnd.randrange(4)}")
    return step("GET", f"{pool}/products/{rnd.randrange(1000)}")


def make_plan(seed, connections, average, huge):
    """`average` steps a connection; `huge` is the share of uploads with HUGE bytes."""
    rnd = random.Random(seed)
    return [[random_step(rnd, huge) for _ in range(rnd.randrange(1, 2 * average))]
            for _ in range(connections)]


def pool_of(target):
    prefix = target[:2] if target[2:3] == "/" else ""
    return POOLS.get(prefix, POOLS[""])


def last_numbers(target, count):
    return [int(part) for part in target.split("/")[-count:]]


def verify_whoami(what, r):
    seen = r.json()
    sent = body(what["size"] or 0)
    expect("method and target", (what["method"], what["target"]), (seen["method"], seen["url"]))
    expect("length that the backend saw", len(sent), seen["bodyLength"])
    expect("sha256 that the backend saw", sha256(sent), seen["bodySha256"])


def verify_backend(what, r):
    target, by = what["target"], r.header("x-backend")
    expect_that(by in pool_of(target), f"one of {pool_of(target)}", r.summary())
    if "/whoami" in target:
        expect("status", 200, r.status)
        verify_whoami(what, r)
    elif "/bytes/" in target:
        size = last_numbers(target, 1)[0]
        expect("status and length", (200, str(size)), (r.status, r.header("content-length")))
        expect("sha256", sha256(b"" if what["method"] == "HEAD" else pattern(size)), sha256(r.body))
    elif "/status/" in target:
        status = last_numbers(target, 1)[0]
        expect("status", status, r.status)
        has_body = what["method"] != "HEAD" and status not in (204, 304)
        expect("body", has_body, r.body.startswith(b"%d " % status))
    elif "/chunks/" in target:
        total = last_numbers(target, 2)[0]
        lines = "".join(f"chunk {i} of {total} by {by}\n" for i in range(total))
        expect("status and body", (200, lines.encode()), (r.status, r.body))
    else:
        expect("status", 200, r.status)
        for mark in (f'data-id="{last_numbers(target, 1)[0]}"', f'data-backend="{by}"', "</html>"):
            expect_that(mark in r.body.decode(), f"a page with {mark}", r.body)


class Judge:
    """Holds responses against their steps; the component files are those of conf_components."""

    def __init__(self, directory):
        self.components = Components(directory)

    def verify(self, what, r):
        target = what["target"]
        if not target.startswith("/c/"):
            verify_backend(what, r)
        elif what["method"] == "HEAD":
            length = str(len(self.components.bodies[target]))
            expect("head", (200, "sluice", length, b""),
                   (r.status, r.header("server"), r.header("content-length"), r.body))
        else:
            self.components.verify(target, r)

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The plans of mix_plan.py with clients that others have written, for mix.sh: mix_clients.py
COMPONENTS-DIRECTORY SEED CONNECTIONS AVERAGE SCRATCH-DIRECTORY.

http.client of Python, curl, Node's http.Agent and fetch (undici): each gets plans of its own and
reports what came; here it is verified.
"""
import base64
import http.client
import json
import os
import subprocess
import sys

from mix_plan import Judge, body, make_plan
from rawhttp import VIP4, Mismatch, Report, Response, expect

HERE = os.path.dirname(os.path.realpath(__file__))
TIMEOUT_S = 60


def results_match(judge, plan, results):
    steps = [what for steps in plan for what in steps]
    expect("responses", len(steps), len(results))
    for what, r in zip(steps, results):
        try:
            judge.verify(what, r)
        except (Mismatch, ValueError, KeyError) as e:
            raise Mismatch(f"a right answer to {what}", f"{e}") from e


# --- http.client ----------------------------------------------------------------------------------

def by_http_client(plan, _):
    results = []
    for steps in plan:
        conn = http.client.HTTPConnection(VIP4, timeout=TIMEOUT_S)
        for what in steps:
            data, chunks = None, False
            if what["size"] is not None:
                data = body(what["size"])
                chunks = what["framing"] == "chunked"
            if chunks:
                data = iter([data[i:i + 5000] for i in range(0, len(data), 5000)])
            conn.request(what["method"], what["target"], data, {"Host": "lab.example"},
                         encode_chunked=chunks)
            answer = conn.getresponse()
            r = Response(answer.status, "HTTP/1.1",
                         [(n.lower(), v) for n, v in answer.getheaders()])
            r.body = answer.read()
            results.append(r)
        conn.close()
    return results


# --- curl: a configuration with all requests, which take turns on its connections --------------------

def curl_options(what, place):
    lines = [f'url = "http://{VIP4}{what["target"]}"', f'output = "{place}.body"',
             f'dump-header = "{place}.head"', "silent", f"max-time = {TIMEOUT_S}"]
    if what["method"] == "HEAD":
        lines.append("head")
    else:
        lines.append(f'request = "{what["method"]}"')
    if what["size"] is not None:
        with open(f"{place}.sent", "wb") as f:
            f.write(body(what["size"]))
        lines.append(f'data-binary = "@{place}.sent"')
    if what["framing"] == "chunked" and what["size"] is not None:
        lines.append('header = "Transfer-Encoding: chunked"')
    return "\n".join(lines)


def curl_result(place, method):
    with open(f"{place}.head", encoding="latin-1", newline="") as f:
        blocks = [b for b in f.read().split("\r\n\r\n") if b]
    lines = blocks[-1].split("\r\n")
    headers = [line.partition(":") for line in lines[1:]]
    r = Response(int(lines[0].split()[1]), lines[0].split()[0],
                 [(n.lower(), v.strip()) for n, _, v in headers])
    if method != "HEAD" and os.path.exists(f"{place}.body"):
        with open(f"{place}.body", "rb") as f:
            r.body = f.read()
    return r


def by_curl(plan, scratch):
    steps = [what for steps in plan for what in steps]
    places = [f"{scratch}/curl{i}" for i in range(len(steps))]
    config = "\nnext\n".join(curl_options(what, place) for what, place in zip(steps, places))
    subprocess.run(["curl", "--config", "-"], input=config.encode(), check=True,
                   timeout=2 * TIMEOUT_S)
    return [curl_result(place, what["method"]) for what, place in zip(steps, places)]


# --- Node.js ----------------------------------------------------------------------------------------

def by_node(client):
    def run(plan, _):
        ran = subprocess.run(["node", f"{HERE}/mix_client.mjs", client, VIP4],
                             input=json.dumps(plan).encode(), stdout=subprocess.PIPE, check=True,
                             timeout=2 * TIMEOUT_S)
        results = []
        for answer in json.loads(ran.stdout):
            headers = [(n.lower(), v) for n, v in answer["headers"]]
            r = Response(answer["status"], "HTTP/1.1", headers)
            r.body = base64.b64decode(answer["body"])
            results.append(r)
        return results
    return run


CLIENTS = {"http.client": by_http_client, "curl": by_curl, "http.Agent": by_node("agent"),
           "undici": by_node("fetch")}


def main():
    directory, seed, connections, average, scratch = sys.argv[1:]
    judge = Judge(directory)
    report = Report()
    for name, client in CLIENTS.items():
        plan = make_plan(f"{seed}/{name}", int(connections), int(average), 0.02)
        for steps in plan:
            for what in steps:
                what["expect"] = False  # curl asks by itself
        requests = sum(len(steps) for steps in plan)

        def check(client=client, plan=plan):
            try:
                results = client(plan, scratch)
            except (subprocess.SubprocessError, http.client.HTTPException) as e:
                raise Mismatch("every answer", f"{type(e).__name__}: {e}") from e
            results_match(judge, plan, results)

        report.run(f"{name}: {requests} requests, seed {seed}", check)
    report.exit()


main()

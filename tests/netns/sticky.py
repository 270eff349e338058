# SPDX-License-Identifier: GPL-2.0-or-later
"""Which backend a value of the cookie `sid` leads to, on fresh connections.

Usage: sticky.py ADDRESS KEYS FILE same|moved BACKEND...
  same    as FILE says, or for the first time: FILE is written, and each BACKEND has a share
  moved   keys of a BACKEND stay, those of any other go to one
"""
import http.client
import json
import os
import sys

address, keys, path, mode, *backends = sys.argv[1:]


def backend_of(key):
    connection = http.client.HTTPConnection(address, 80, timeout=10)
    connection.request("GET", "/whoami", headers={"Cookie": f"a=1; sid=user{key}; b=2"})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.getheader("x-backend")


def check(name, actual, expected):
    print(f"ok - {name}" if actual == expected else f"not ok - {name}: expected {expected}, actual {actual}")


found = {str(key): backend_of(key) for key in range(int(keys))}
known = json.load(open(path)) if os.path.exists(path) else found
name = f"{address}: {len(found)} values of the cookie"
if mode == "same":
    check(f"{name}: the same backends", {k: v for k, v in found.items() if v != known[k]}, {})
    for backend in backends:
        n = sum(v == backend for v in found.values())
        check(f"{name}: {backend} has a share", n > len(found) // 5, True)
else:
    wrong = {k: v for k, v in found.items() if v not in backends}
    check(f"{name}: only {' '.join(backends)}", wrong, {})
    wrong = {k: v for k, v in found.items() if known[k] in backends and v != known[k]}
    check(f"{name}: what was there stays", wrong, {})
if known is found:
    json.dump(found, open(path, "w"))

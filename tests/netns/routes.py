#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Routes by source and method, redirects and denials, for routes.sh: what answers, and that no
denied request reaches a backend."""
import subprocess
import sys

from rawhttp import VIP4, VIP6, Components, Conn, Report, expect, head

A, B, ANY = "node1", "node2", None
FAMILIES = ((VIP4, "10.80.0.2", "10.80.0.3"), (VIP6, "fd80::2", "fd80::3"))
report = Report()


def ask(target, method="GET", host="lab.example", vip=VIP4, source=None, body=None, version="1.1"):
    with Conn(vip, source=(source, 0) if source else None) as c:
        c.send(head(target, method, (), body, version, host) + (body or b""))
        return c.read(method)


def backends_seen():
    """Requests that the two backends have seen, less the ones made to learn it."""
    return [ask(f"/{name}/whoami").json()["requests"] - 1 for name in "ab"]


# --- conditions -----------------------------------------------------------------------------------

def answered_by(who, *args, **kwargs):
    expect("backend", who, ask(*args, **kwargs).header("x-backend"))


def refused(status, *args, **kwargs):
    r = ask(*args, **kwargs)
    expect("status, by kernel", (status, True), (r.status, r.by_kernel()))


def switching():
    """One connection whose requests go by their methods."""
    with Conn(source=("10.80.0.3", 0)) as c:
        for method, who in (("GET", A), ("POST", B), ("GET", A), ("PUT", B), ("POST", B)):
            r = c.request("/by/whoami", method, body=b"x" if method != "GET" else None)
            expect(f"backend of {method}", who, r.header("x-backend"))


def component_first(components):
    components.verify("/c/1024", ask("/c/1024", source="10.80.0.2"))
    answered_by(B, "/c/1024", source="10.80.0.3")
    r = ask("/c/1024", "HEAD", source="10.80.0.3")
    expect("status, by kernel", (200, True), (r.status, r.by_kernel()))


def conditions(components):
    for vip, two, three in FAMILIES:
        report.run(f"from: {three}", answered_by, B, "/who/whoami", vip=vip, source=three)
        report.run(f"from: not {two}", lambda v=vip, s=two: expect(
            "by", True, ask("/who/whoami", vip=v, source=s).header("x-backend") in (A, B)))
        report.run(f"from: the network of {two}", answered_by, A, "/from/whoami", vip=vip, source=two)
    report.run("from: a longer network goes first", refused, 403, "/from/whoami", source="10.80.0.3")
    report.run("method: POST", answered_by, B, "/by/whoami", "POST", body=b"x")
    report.run("method: GET", answered_by, A, "/by/whoami")
    report.run("method and from", answered_by, B, "/by/both/whoami", source="10.80.0.3")
    report.run("method and from: another source", answered_by, A, "/by/both/whoami",
               source="10.80.0.2")
    report.run("method and from: another method, the shorter prefix", answered_by, B,
               "/by/both/whoami", "PUT", source="10.80.0.3", body=b"x")
    report.run("one connection, by method", switching)
    report.run("a component behind a route of its path", component_first, components)
    report.run("the host's prefix before another's exact path", answered_by, B, "/c/one",
               host="b.example")
    report.run("the exact path of any host", answered_by, A, "/c/one")


# --- redirects ------------------------------------------------------------------------------------

def moved_to(location, status, target, **kwargs):
    r = ask(target, **kwargs)
    expect("status, location", (status, location), (r.status, r.header("location")))
    expect("by kernel, body", (True, b""), (r.by_kernel(), r.body))
    expect("connection", "close" if kwargs.get("version") == "1.0" or "body" in kwargs else "",
           r.options())


def moved_again():
    """Many on one connection; a long one between."""
    with Conn() as c:
        for i in range(200):
            target = f"/moved/{i}?q={'x' * (4000 if i % 10 == 9 else i)}"
            r = c.request(target, "HEAD" if i % 3 == 0 else "GET")
            expect("location", "https://shop.example" + target, r.header("location"))


def redirects():
    shop = "https://shop.example"
    for vip, _, _ in FAMILIES:
        report.run(f"$uri, {vip}", moved_to, shop + "/moved/a?b=c&d", 301, "/moved/a?b=c&d", vip=vip)
        report.run(f"$uri of 15 KB, {vip}", moved_to, f"{shop}/moved/{'y' * 15000}", 301,
                   "/moved/" + "y" * 15000, vip=vip)
    odd = "/moved/%2f%41//;x\\y?%zz\"<>/../%0d%0aSet-Cookie:x"
    report.run("$uri as it is written", moved_to, shop + odd, 301, odd)
    report.run("$uri of a POST", moved_to, shop + "/moved/", 301, "/moved/", method="POST", body=b"x")
    report.run("$uri, HTTP/1.0", moved_to, shop + "/moved/x", 301, "/moved/x", version="1.0")
    report.run("$uri of absolute form", moved_to, "http://new.example/a?b", 308,
               "http://old.example/a?b", host="old.example")
    report.run("$uri of a whole host", moved_to, "http://new.example/", 308, "/", host="old.example")
    report.run("$uri, 200 times on one connection", moved_again)
    report.run("longer than an answer can be: 414", refused, 414, "/moved/" + "z" * 16320)


# --- denials --------------------------------------------------------------------------------------

WHO = "whoami"
DENIED = (
    # target, host, method, status
    (f"/internal/{WHO}", ANY, "GET", 403),
    ("/internal", ANY, "GET", 403),
    (f"/internal/%zz/{WHO}", ANY, "GET", 403),
    (f"/%69nternal/{WHO}", ANY, "GET", 403),
    (f"/%2569nternal/{WHO}", ANY, "GET", 403),
    (f"/%25%32%35%36%39nternal/{WHO}", ANY, "GET", 403),
    (f"/internal%2f{WHO}", ANY, "GET", 403),
    (f"/internal%5c{WHO}", ANY, "POST", 403),
    (f"//internal/{WHO}", ANY, "GET", 403),
    (f"/\\internal/{WHO}", ANY, "GET", 403),
    (f"/./internal/{WHO}", ANY, "GET", 403),
    (f"/a/../internal/{WHO}", ANY, "GET", 403),
    (f"/a/%2e%2e/internal/{WHO}", ANY, "GET", 403),
    (f"/a/..%2finternal/{WHO}", ANY, "GET", 403),
    (f"/a/..;/internal/{WHO}", ANY, "GET", 403),
    (f"/%69nternal/../{WHO}", ANY, "GET", 403),
    (f"/internal;x=y/{WHO}", ANY, "GET", 403),
    (f"/INTERNAL/{WHO}", ANY, "DELETE", 403),
    (f"/internal/%6fpen/{WHO}", ANY, "GET", 403),
    (f"/internal/open/../{WHO}", ANY, "GET", 403),
    ("/secret", ANY, "GET", 404),
    ("/secret/", ANY, "GET", 404),
    ("/SECRET", ANY, "GET", 404),
    ("/secret;a/b", ANY, "GET", 404),
    ("/secret%3fa", ANY, "GET", 404),
    ("/sec%72et/?x", ANY, "GET", 404),
    (f"/admin/{WHO}", "shop.example", "GET", 403),
    (f"/ADMIN/{WHO}", "SHOP.example.", "GET", 403),
    (f"/%61dmin/{WHO}", "shop.example:80", "GET", 403),
    (f"http://shop.example/admin/{WHO}", "shop.example", "GET", 403),
    (f"http://lab.example/internal/{WHO}", ANY, "GET", 403),
    (f"/forms/{WHO}", ANY, "POST", 403),
    (f"/f%6frms/{WHO}", ANY, "POST", 403),
)
REFUSED = (
    (f"/%zz/{WHO}", ANY),
    (f"/internal%/{WHO}", ANY),
    (f"/%u0069nternal/{WHO}", ANY),
    (f"/internal%00/{WHO}", ANY),
    (f"/internal%c0%af{WHO}", ANY),
    (f"/a//../{WHO}", ANY),
    (f"/a/%2e%2e/{WHO}", ANY),
    (f"/{WHO}" + "/..;" * 9, ANY),
    (f"/admin/{WHO}", "sho%70.example"),
    (f"http://other.example/{WHO}", ANY),
)
PASSED = (
    (f"/internal/open/{WHO}", ANY, "GET", A),
    (f"/a/{WHO}%20", ANY, "GET", A),
    (f"/a/X/{WHO}", ANY, "GET", A),
    (f"/b/./{WHO}", ANY, "GET", B),
    (f"/b/x/../{WHO}", ANY, "GET", B),
    (f"/b/x;y=z/{WHO}", ANY, "GET", B),
    (f"/b/internal/{WHO}", ANY, "GET", B),
    (f"/b/100%25/{WHO}", ANY, "GET", B),
    (f"/a/{WHO}?/internal/../%zz", ANY, "GET", A),
)


def denied(target, host, method, status):
    body = b"x" if method == "POST" else None
    seen = backends_seen()
    for vip, _, _ in FAMILIES:
        refused(status, target, method, host or "lab.example", vip, body=body)
    with Conn() as c:  # behind another request of the connection
        c.request(f"/a/{WHO}")
        c.send(head(target, method, (), body, "1.1", host or "lab.example") + (body or b""))
        expect("status", status, c.read(method).status)
    expect("requests at the backends", [seen[0] + 2, seen[1] + 1], backends_seen())


def denials():
    for target, host, method, status in DENIED:
        report.run(f"{status} for {method} {target} of {host or 'any host'}", denied, target, host,
                   method, status)
    for target, host in REFUSED:
        report.run(f"400 for {target} of {host or 'any host'}", denied, target, host, "GET", 400)
    for target, host, method, who in PASSED:
        report.run(f"passed: {method} {target}", answered_by, who, target, method,
                   host or "lab.example")


# --- other clients --------------------------------------------------------------------------------

def curl(*args):
    command = ["curl", "-sS", "--max-time", "10", "--path-as-is", "-o", "/dev/null", "-w",
               "%{http_code} %{redirect_url} %header{x-backend}", *args]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


def curl_says(wanted, *args):
    expect("answer", wanted, curl(*args))


def clients():
    url = f"http://{VIP4}"
    report.run("curl: from", curl_says, "200  node2", "--interface", "10.80.0.3", f"{url}/who/{WHO}")
    report.run("curl: method", curl_says, "200  node2", "-X", "PUT", "-d", "x", f"{url}/by/{WHO}")
    report.run("curl: $uri", curl_says, "301 https://shop.example/moved/a?b=%20c ",
               f"{url}/moved/a?b=%20c")
    report.run("curl: $uri, HEAD", curl_says, "301 https://shop.example/moved/a ", "-I",
               f"{url}/moved/a")
    report.run("curl: denied", curl_says, "403  ", f"{url}/a/../internal/{WHO}")


def main():
    what = sys.argv[2]
    if what == "conditions":
        conditions(Components(sys.argv[1]))
    else:
        {"redirects": redirects, "denials": denials, "clients": clients}[what]()
    report.exit()


main()

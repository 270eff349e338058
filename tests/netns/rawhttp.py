# SPDX-License-Identifier: GPL-2.0-or-later
"""A raw HTTP/1.x client and the runner of checks, for the helpers of tests/netns.

Conn sends bytes as given and reads exactly one response at a time, so a wrong length or a stray
byte shows. Report runs functions as checks and prints their lines (see lib.sh).
"""
import errno
import hashlib
import json
import random
import socket
import struct
import sys
import time

VIP4 = "10.80.9.9"
VIP6 = "fd80:9::9"
TIMEOUT_S = 20


class Mismatch(Exception):
    """A check failed: what was expected, what came."""

    def __init__(self, expected, actual):
        super().__init__(f"expected {expected}, actual {actual}")
        self.expected, self.actual = expected, actual


class Skip(Exception):
    """A check cannot be made here."""


def expect(what, expected, actual):
    if expected != actual:
        raise Mismatch(f"{what} {short(expected)}", short(actual))


def expect_that(condition, expected, actual):
    if not condition:
        raise Mismatch(expected, short(actual))


def short(value):
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:150]}... ({len(text)} characters)"


class Report:
    """Runs checks; `exit` ends the program with their status."""

    def __init__(self):
        self.failures = 0
        self.prefix = ""

    def run(self, name, function, *args, **kwargs):
        name = self.prefix + name
        try:
            function(*args, **kwargs)
        except Mismatch as e:
            self.failed(name, e.expected, e.actual)
        except Skip as e:
            print(f"skip - {name}: {e}", flush=True)
        except (OSError, EOFError, ValueError, KeyError) as e:
            self.failed(name, "no error", f"{type(e).__name__}: {short(str(e))}")
        else:
            print(f"ok - {name}", flush=True)

    def failed(self, name, expected, actual):
        self.failures += 1
        line = f"not ok - {name}: expected {expected}, actual {actual}"
        print(line.replace("\n", " "), flush=True)

    def exit(self):
        sys.exit(1 if self.failures else 0)


class Response:
    """One response: status, headers [(lower case name, value)], body, seconds."""

    def __init__(self, status, version, headers):
        self.status, self.version, self.headers = status, version, headers
        self.body, self.seconds = b"", 0.0

    def header(self, name):
        values = [v for n, v in self.headers if n == name]
        return ", ".join(values) if values else None

    def json(self):
        return json.loads(self.body)

    def by_kernel(self):
        return self.header("server") == "sluice"

    def options(self):
        return (self.header("connection") or "").lower()

    def summary(self):
        return f"{self.status} of {self.header('x-backend') or self.header('server')}, " \
               f"{len(self.body)} bytes"


class Conn:
    """One TCP connection; closes with `with`."""

    def __init__(self, host=VIP4, port=80, timeout=TIMEOUT_S, source=None):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.host, self.timeout = host, timeout
        self.buf = b""
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if source:
            self.sock.bind(source)
        self.sock.connect((host, port))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.sock.close()

    def local_port(self):
        return self.sock.getsockname()[1]

    def send(self, data):
        self.sock.sendall(data)

    def send_segments(self, parts):
        """Each part as a TCP segment of its own: the next one follows when the kernel has none left.
        TCP_NODELAY alone lets segments that wait for the window grow together."""
        for part in parts:
            self.sock.sendall(part)
            end = time.monotonic() + self.timeout
            while struct.unpack("i", fionread_out(self.sock))[0]:
                if time.monotonic() > end:
                    raise TimeoutError("sent bytes are not acknowledged")
                time.sleep(0.0005)

    def abort(self):
        """Closes with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def _more(self):
        data = self.sock.recv(262144)
        if not data:
            raise EOFError(f"connection closed after {short(self.buf)}")
        self.buf += data

    def _line(self):
        while b"\r\n" not in self.buf:
            self._more()
        line, self.buf = self.buf.split(b"\r\n", 1)
        return line

    def _take(self, count):
        parts, have = [self.buf], len(self.buf)
        while have < count:
            data = self.sock.recv(min(1 << 20, count - have + 65536))
            if not data:
                raise EOFError(f"connection closed after {have} of {count} bytes")
            parts.append(data)
            have += len(data)
        whole = b"".join(parts)
        self.buf = whole[count:]
        return whole[:count]

    def _until_eof(self):
        while True:
            try:
                self._more()
            except EOFError:
                data, self.buf = self.buf, b""
                return data

    def _chunked(self):
        parts = []
        while True:
            size = int(self._line().split(b";")[0], 16)
            if size == 0:
                while self._line():
                    pass
                return b"".join(parts)
            parts.append(self._take(size))
            expect("end of chunk", b"\r\n", self._take(2))

    def read(self, method="GET", skip_interim=True):
        """The next response; 1xx are skipped unless asked for."""
        while True:
            line = self._line()
            fields = line.decode("latin-1").split(" ", 2)
            if len(fields) < 2 or not fields[0].startswith("HTTP/1.") or not fields[1].isdigit():
                raise Mismatch("a status line", short(line + b"\r\n" + self.buf))
            headers = []
            while True:
                line = self._line().decode("latin-1")
                if not line:
                    break
                name, _, value = line.partition(":")
                headers.append((name.lower(), value.strip()))
            r = Response(int(fields[1]), fields[0], headers)
            if r.status >= 200 or not skip_interim or r.status == 101:
                break
        if method == "HEAD" or r.status in (101, 204, 304) or r.status < 200:
            return r
        length = r.header("content-length")
        if r.header("transfer-encoding"):
            r.body = self._chunked()
        elif length is not None:
            r.body = self._take(int(length))
        else:
            r.body = self._until_eof()
        return r

    def request(self, target, method="GET", headers=(), body=None, version="1.1"):
        """Sends a request and reads its response; `seconds` is the time between."""
        start = time.monotonic()
        self.send(head(target, method, headers, body, version) + (body or b""))
        r = self.read(method)
        r.seconds = time.monotonic() - start
        return r

    def end(self, seconds=TIMEOUT_S):
        """How the server ends the connection: 'fin', 'rst', 'open' (not in time), or the stray
        bytes that came first."""
        if self.buf:
            return self.buf
        self.sock.settimeout(seconds)
        try:
            data = self.sock.recv(65536)
        except TimeoutError:
            return "open"
        except ConnectionResetError:
            return "rst"
        finally:
            self.sock.settimeout(self.timeout)
        return data or "fin"


def fionread_out(sock):
    """SIOCOUTQ: bytes that the peer has not acknowledged."""
    import fcntl
    return fcntl.ioctl(sock.fileno(), 0x5411, b"\0\0\0\0")


def head(target, method="GET", headers=(), body=None, version="1.1", host="lab.example"):
    lines = [f"{method} {target} HTTP/{version}", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def chunked(body, sizes):
    """The body as chunks of the sizes, again and again until its end."""
    out, at, turn = [], 0, 0
    while at < len(body):
        piece = body[at:at + sizes[turn % len(sizes)]]
        out.append(b"%x\r\n%s\r\n" % (len(piece), piece))
        at += len(piece)
        turn += 1
    return b"".join(out) + b"0\r\n\r\n"


def get(target, host=VIP4, headers=(), method="GET", body=None):
    """One request on a fresh connection."""
    with Conn(host) as c:
        return c.request(target, method, headers, body)


def pattern(length):
    """The body of /bytes/N."""
    return (b"abcdefghijklmnopqrstuvwxyz" * (length // 26 + 1))[:length]


def pieces(data, count):
    size = -(-len(data) // count)
    return [data[i:i + size] for i in range(0, len(data), size)]


def large_headers(total, fields=5):
    """Fields whose names and values add up to about `total` bytes, all different."""
    return [(f"X-Field-{i}", "".join(chr(97 + (i * 7 + j) % 26) for j in range(total // fields - 14)))
            for i in range(fields)]


def random_body(size):
    """Random bytes, in which requests stand that nobody may take for some."""
    body = bytearray(random.Random(size).randbytes(size))
    trap = b"\r\n\r\nGET /c/1024 HTTP/1.1\r\nHost: lab.example\r\n\r\n"
    for at in range(0, size - len(trap), 1448):
        body[at:at + len(trap)] = trap
    return bytes(body)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def is_reset(error):
    return isinstance(error, OSError) and error.errno in (errno.ECONNRESET, errno.EPIPE)


def nstat():
    """Counters of this network namespace, TcpExt and Tcp: {'TcpExtTCPTimeouts': 0, ...}."""
    values = {}
    for path in ("/proc/net/snmp", "/proc/net/netstat"):
        with open(path, encoding="ascii") as f:
            lines = f.read().splitlines()
        for names, numbers in zip(lines[::2], lines[1::2]):
            group, _, names = names.partition(":")
            for name, number in zip(names.split(), numbers.split()[1:]):
                values[group + name] = int(number)
    return values


class Counters:
    """Differences of nstat() since it was made."""

    def __init__(self):
        self.before = nstat()

    def since(self, name):
        return nstat()[name] - self.before.get(name, 0)


class Components:
    """The component files that conf_components has made: /c/SIZE."""

    def __init__(self, directory):
        self.bodies = {}
        for size in (1, 1024, 14336, 65536):
            with open(f"{directory}/{size}", "rb") as f:
                self.bodies[f"/c/{size}"] = f.read()

    def verify(self, path, r):
        """The response is the component, answered by the kernel."""
        body = self.bodies[path]
        expect("status", 200, r.status)
        expect("server", "sluice", r.header("server"))
        expect("x-backend", None, r.header("x-backend"))
        expect("content-length", str(len(body)), r.header("content-length"))
        expect("md5", hashlib.md5(body).hexdigest(), hashlib.md5(r.body).hexdigest())

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# pipeline.sh: pipelined requests do not wait for timers: h2load -m 8 on components, on backends, on
# both in turn; the client repeats nothing. One connection's responses come in order, also behind FIN.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"
suite q

REQUESTS=${SLUICE_PIPELINE:-4000}

# pipelined NAME REQUESTS PATH...: all 2xx, all accepted at once, no timeout of the client. A loss probe
# (RFC 8985, 7) is none: a backend that delays its ACK for a few ms provokes it.
pipelined() {
	local name="h2load --h1 -c 8 -m 8: $1" requests=$2 path before timeouts
	shift 2
	for path in "$@"; do
		echo "http://$VIP4$path"
	done >"$work/urls"
	before=$(counter early)
	timeouts=$(nstat_of client TcpExtTCPTimeouts)
	in_ns client timeout 120 h2load --h1 -n "$requests" -c 8 -m 8 -i "$work/urls" \
		>"$work/h2load.log" 2>&1
	check "$name" "$requests 2xx, 0 3xx, 0 4xx, 0 5xx" \
		"$(sed -n 's/^status codes: //p' "$work/h2load.log")"
	check "$name: requests not accepted, timeouts" "0 0" \
		"$(($(counter early) - before)) $(($(nstat_of client TcpExtTCPTimeouts) - timeouts))"
	echo "# $name: $(sed -n 's/^finished in //p' "$work/h2load.log")"
	grep '^time for request' "$work/h2load.log" | sed 's/^/# /'
}

conf_standard >"$work/gateway.ini"
bring_up --conf "$work/gateway.ini"
for path in /a/whoami /b/whoami; do # a kick cannot wait for a neighbour that is not known yet
	check_status "the neighbour behind $path is known" 0 \
		in_ns client curl -sf --max-time 10 -o "$work/out" "http://$VIP4$path"
done
pipelined "1 KB components" "$((REQUESTS * 5))" /c/1024
pipelined "components of several sizes" "$REQUESTS" /c/1024 /c/1 /c/14336
repeated=$(nstat_of client TcpRetransSegs)
pipelined "a component and a backend" "$REQUESTS" /c/1024 /a/bytes/100
pipelined "components and two backends" "$REQUESTS" /c/1024 /a/bytes/3000 /c/1 /b/bytes/10 /c/1024
pipelined "two backends" "$REQUESTS" /a/bytes/10 /b/bytes/10
check "segments that the client repeated where the kernel answered alone" 0 "$repeated"
for vip in "$VIP4" "$VIP6"; do
	for half in "" --half; do
		checks_of "pipeline.py $vip $half" in_ns client timeout 60 python3 "$HERE/pipeline.py" \
			"$vip" "$work/components" $half
	done
done
finish

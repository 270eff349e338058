#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# bench.sh: Sluice beside nginx, Node alone and a floor, as ratios in one run (`make bench`).
# Needs root, build/sluice and what `make deps` installs. Environment:
#   ROUNDS=7   rounds; each has every contestant once, and the median of them counts
#   SECONDS=2  of load for one contestant in one round
#   ONLY=TEXT  only the cases with that text in their name
# Exit code 0 when it measured, whatever the numbers are; 1 when it could not.
# Here: preparations, and the end of everything by trap. The measuring is bench/run.py.
#
#   plain   10.80.20.1 to the client, 10.80.21.1 to node1: nginx, and the way to Node alone
#   mirror  10.80.30.2 to the client: the floor
# They stand beside the lab, so that no program of the gateway runs for what Sluice is compared
# with, and that all contestants share one Node process.

set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=bench/lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/bench/lib.sh"
# shellcheck source-path=SCRIPTDIR source=bench/peers.sh
. "$HERE/bench/peers.sh"

ROUNDS=${ROUNDS:-7}
BENCH_SECONDS=$(requested_seconds 2)
export LAB=bn$$ ROUNDS BENCH_SECONDS ONLY=${ONLY:-}

# --- preparations ---------------------------------------------------------------------------------

preflight() {
	[[ $ROUNDS =~ ^[1-9][0-9]{0,2}$ ]] || die "ROUNDS=$ROUNDS: a number from 1 to 999"
	[[ $BENCH_SECONDS =~ ^[1-9][0-9]{0,2}$ ]] ||
		die "SECONDS=$BENCH_SECONDS: a number from 1 to 999"
	preflight_root bpftool cc curl nginx python3 taskset wrk
}

# build_tools: reflector and mixed, into the directory of this run.
build_tools() {
	local clang
	clang=$(compiler)
	"$clang" -target bpf -mcpu=v3 -O2 -g -std=gnu11 -Wall -Wextra -Werror \
		-Wno-missing-declarations -Wno-address-of-packed-member \
		-I"$ROOT/datapath" -I"$ROOT/build" \
		-c "$HERE/bench/reflector.bpf.c" -o "$work/reflector.bpf.o"
	bpftool gen skeleton "$work/reflector.bpf.o" name reflector_bpf >"$work/reflector.skel.h"
	c_tool reflector -lbpf
	c_tool mixed
}

# pages: components of four sizes, one route to node1.
pages() {
	cat >>"$work/gateway.ini" <<-EOF
		[route a]
		path = /a/
		pool = ssr
	EOF
	component 1k 1024
	component 14k 14336
	component 32k 32768
	component 64k 65536
}

# --- all answers are right before anything is measured --------------------------------------------

# same_body URL FILE
same_body() {
	in_netns client curl -sf --max-time 5 -o "$work/body" "$1" ||
		die "$1 does not answer with 200 (curl's exit code $?)"
	cmp "$work/body" "$2" || die "$1 does not answer with the bytes of ${2##*/}"
}

verify() {
	local size
	for size in 1k 14k 32k 64k; do
		same_body "$SLUICE_URL/c/$size" "$work/www/c/$size"
		same_body "$NGINX_URL/c/$size" "$work/www/c/$size"
	done
	same_body "$CACHE_URL/a/bytes/1024" "$work/www/c/1k"
	same_body "$FLOOR_URL/" "$work/www/c/1k"
	in_netns client curl -sf --max-time 5 -o "$work/miss" "$NODE_URL/a/bytes/1000" ||
		die "Node does not answer"
	same_body "$SLUICE_URL/a/bytes/1000" "$work/miss"
	same_body "$NGINX_URL/a/bytes/1000" "$work/miss"
}

main() {
	preflight
	begin bench
	build_tools
	generate_conf gw0
	pages
	lab up --conf "$work/gateway.ini"
	widen_ports
	build_networks
	start_peer_nginx
	start_reflector
	verify
	MIXED=$work/mixed NGINX_PID=$(<"$work/nginx.pid") REFLECTOR_PID=$reflector_pid \
		NODE_PID=$(lab_pid node1) GATEWAY_PID=$(lab_pid gateway) measure run.py
}

main

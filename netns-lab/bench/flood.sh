#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# flood.sh: what legitimate clients notice of a flood (`make bench-flood`), beside the same flood
# dropped by a TC program of one line in front of the gateway, and beside no flood. Needs root,
# build/sluice and what `make deps` installs. Environment:
#   RATE=100000  packets a second, from random sources
#   SECONDS=10   of each run
#   ROUNDS=3     of all kinds of runs, which take turns; medians count
# Exit code 0 when it measured and no flow was spent on a flood; 1 otherwise.
# Here: the networks, and the end of everything by trap. The measuring is flood.py.
#
#   client eth0 - gw0: legitimate requests
#   flood  f0   - gw1: the flood, a second uplink; answers are dropped at f0

set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"

LAB=${LAB:-bf}$$
BENCH_SECONDS=$(requested_seconds 10)
export LAB BENCH_SECONDS RATE=${RATE:-100000} ROUNDS=${ROUNDS:-3}

unload_gateway() {
	in_netns gw "$ROOT/build/sluice" unload -c "$work/gateway.ini" >/dev/null
}

# mac NETNS DEVICE
mac() {
	ip -n "$LAB-$1" -o link show "$2" | sed 's/.*link.ether \([^ ]*\).*/\1/'
}

main() {
	preflight_root cc python3
	begin flood
	c_tool fetch
	c_tool flood
	c_tool drop -lbpf
	lab up --no-gateway
	generate_conf "gw0, gw1"
	component 1k 1024
	add_netns flood
	link flood f0 10.80.40.2 gw gw1 10.80.40.1
	widen_ports
	at_end unload_gateway
	start gateway gw "$ROOT/build/sluice" run -c "$work/gateway.ini"
	await gateway is_ready gateway
	start drop flood "$work/drop" f0
	await drop is_ready drop
	TOOLS=$work GATEWAY_MAC=$(mac gw gw1) CONF=$work/gateway.ini SLUICE=$ROOT/build/sluice \
		measure flood.py
}

main

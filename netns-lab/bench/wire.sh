#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# wire.sh: Sluice beside nginx under loss, reordering, repetition and delay (`make bench-wire`).
# Needs root, build/sluice and what `make deps` installs. Environment:
#   REQUESTS=2000  of one run, over 64 keep-alive connections
#   LOSS="0 1 5 10" RTT="0 20 100" SIZES="1024 14336 65536"  the cells: percent each way, ms, bytes
#   ROUNDS=1       runs of each peer in a cell, with seeds SEED, SEED + 1, ...
#   SEED=1         of the wire
#   LIMIT=300      seconds that one run may take; what is missing then is counted as unfinished
#   CONGESTION=    nginx's congestion control; the machine's default without it
#   OFFLOAD=0      1: segmentation and checksum offloads on, and loss hits whole 64 KB frames
#   JSON=FILE      all results too, a line for each run
# Exit code 0 when it measured, whatever the numbers are; 1 when it could not.
# Here: the networks, and the end of everything by trap. The measuring is wire.py.
#
#   client eth0   - wire  - gw0: Sluice, 10.80.9.9
#   client plain0 - wire2 - c0 of plain: nginx, 10.80.20.1
# The two wires are alike: for each run its wire is begun anew with the same settings and seed.

set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"

export LAB=${LAB:-bw}$$ OFFLOAD=${OFFLOAD:-0} CONGESTION=${CONGESTION:-}
export SIZES=${SIZES:-1024 14336 65536}

# random_components: one of each size, with random bytes.
random_components() {
	local size
	for size in $SIZES; do
		component "$size" "$size"
		head -c "$size" /dev/urandom >"$work/www/c/$size"
	done
}

# offloads_off NETNS DEVICE: as the lab does it on its own wire.
offloads_off() {
	((OFFLOAD)) || in_netns "$1" ethtool -K "$2" tso off gso off gro off tx off rx off >/dev/null
}

# wire_link NETNS DEVICE NETNS DEVICE
wire_link() {
	veth "$@"
	offloads_off "$1" "$2"
	offloads_off "$3" "$4"
}

build_networks() {
	add_netns plain
	add_netns wire2
	wire_link client plain0 wire2 c0
	wire_link wire2 g0 plain c0
	address client plain0 10.80.20.2
	address plain c0 10.80.20.1
	# By the route: the sysctl of a netns takes only what tcp_allowed_congestion_control has.
	[[ -z $CONGESTION ]] || ip -n "$LAB-plain" route change 10.80.20.0/24 dev c0 \
		src 10.80.20.1 congctl "$CONGESTION"
}

is_listening() {
	[[ -n $(in_netns plain ss -Htln sport = :80) ]]
}

main() {
	preflight_root cc ethtool nginx python3 ss
	begin wire
	c_tool fetch
	generate_conf gw0
	random_components
	lab up --conf "$work/gateway.ini" --wire "offload=$OFFLOAD"
	kill "$(lab_pid wire)" # each run has a wire of its own
	build_networks
	start_nginx is_listening <<-EOF
		server {
			listen 10.80.20.1:80 reuseport;
			location /c/ { root $work/www; }
		}
	EOF
	WIRE=$ROOT/build/wire FETCH=$work/fetch WWW=$work/www/c measure wire.py
}

main

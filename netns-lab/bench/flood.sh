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

HERE=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")
ROOT=$(dirname -- "$HERE")
PATH=$PATH:/usr/sbin:/sbin
LAB=${LAB:-bf}$$
BENCH_SECONDS=$(tr '\0' '\n' <"/proc/$$/environ" | sed -n 's/^SECONDS=//p') # bash's own is a clock
BENCH_SECONDS=${BENCH_SECONDS:-10}
export LAB BENCH_SECONDS RATE=${RATE:-100000} ROUNDS=${ROUNDS:-3}

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$HERE/bench/lib.sh"

clean_up() {
	local status=$?
	trap '' INT TERM
	if [[ -e /run/netns/$LAB-gw && -f $work/gateway.ini ]]; then
		end_children # the gateway among them
		in_netns gw "$ROOT/build/sluice" unload -c "$work/gateway.ini" >/dev/null || status=1
	fi
	[[ ! -e /run/netns/$LAB-flood ]] || ip netns del "$LAB-flood"
	[[ ! -e /run/sluice-lab/$LAB ]] || lab down >/dev/null || status=1
	[[ -z $work ]] || rm -rf -- "$work"
	exit "$status"
}

generate_conf() {
	mkdir -p "$work/www/c"
	cat >"$work/gateway.ini" <<-EOF
		[gateway]
		uplink = gw0, gw1
		vip = 10.80.9.9:80
		admin = $work/admin.sock
		[backend node1]
		address = 10.80.1.2:3000
		netns = $LAB-node1
		interface = eth0
		[pool ssr]
		backends = node1
		default = yes
	EOF
	component 1k 1024
}

build_network() {
	ip netns add "$LAB-flood"
	in_netns flood sysctl -qw net.ipv6.conf.all.disable_ipv6=1 \
		net.ipv6.conf.default.disable_ipv6=1
	link flood f0 10.80.40.2 gw gw1 10.80.40.1
}

is_ready() {
	grep -sqx ready "$work/$1.log"
}

# mac NETNS DEVICE
mac() {
	ip -n "$LAB-$1" -o link show "$2" | sed 's/.*link.ether \([^ ]*\).*/\1/'
}

main() {
	preflight_root cc python3
	trap clean_up EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	work=$(mktemp -d "${TMPDIR:-/tmp}/sluice-flood.XXXXXX")
	c_tool fetch
	c_tool flood
	c_tool drop -lbpf
	lab up --no-gateway
	generate_conf
	build_network
	in_netns client sysctl -qw net.ipv4.ip_local_port_range='1024 65535' net.ipv4.tcp_tw_reuse=1
	start gateway gw "$ROOT/build/sluice" run -c "$work/gateway.ini"
	await gateway is_ready gateway
	start drop flood "$work/drop" f0
	await drop is_ready drop
	# In the background, so that a signal is heeded at once; -B: no files beside the sources.
	TOOLS=$work GATEWAY_MAC=$(mac gw gw1) CONF=$work/gateway.ini SLUICE=$ROOT/build/sluice \
		python3 -B "$HERE/bench/flood.py" &
	children+=("$!")
	wait "$!"
}

main

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

HERE=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")
ROOT=$(dirname -- "$HERE")
PATH=$PATH:/usr/sbin:/sbin
export LAB=${LAB:-bw}$$ OFFLOAD=${OFFLOAD:-0} CONGESTION=${CONGESTION:-}
export SIZES=${SIZES:-1024 14336 65536}

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$HERE/bench/lib.sh"

clean_up() {
	local status=$? ns
	trap '' INT TERM
	end_children
	for ns in plain wire2; do
		[[ ! -e /run/netns/$LAB-$ns ]] || ip netns del "$LAB-$ns"
	done
	[[ ! -e /run/sluice-lab/$LAB ]] || lab down >/dev/null || status=1
	[[ -z $work ]] || rm -rf -- "$work"
	exit "$status"
}

# generate_conf: a component of each size with random bytes, no health probes in between.
generate_conf() {
	local size
	mkdir -p "$work/www/c"
	cat >"$work/gateway.ini" <<-EOF
		[gateway]
		uplink = gw0
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
	for size in $SIZES; do
		component "$size" "$size"
		head -c "$size" /dev/urandom >"$work/www/c/$size"
	done
}

# offloads_off NETNS DEVICE: as the lab does it on its own wire.
offloads_off() {
	((OFFLOAD)) || in_netns "$1" ethtool -K "$2" tso off gso off gro off tx off rx off >/dev/null
}

build_networks() {
	local ns
	for ns in plain wire2; do
		ip netns add "$LAB-$ns"
		in_netns "$ns" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 \
			net.ipv6.conf.default.disable_ipv6=1
		ip -n "$LAB-$ns" link set lo up
	done
	ip -n "$LAB-client" link add plain0 type veth peer name c0 netns "$LAB-wire2"
	ip -n "$LAB-wire2" link add g0 type veth peer name c0 netns "$LAB-plain"
	ip -n "$LAB-client" addr add 10.80.20.2/24 dev plain0
	ip -n "$LAB-plain" addr add 10.80.20.1/24 dev c0
	while read -r ns device; do
		ip -n "$LAB-$ns" link set "$device" up
		offloads_off "$ns" "$device"
	done <<-'EOF'
		client plain0
		wire2 c0
		wire2 g0
		plain c0
	EOF
	# By the route: the sysctl of a netns takes only what tcp_allowed_congestion_control has.
	[[ -z $CONGESTION ]] || ip -n "$LAB-plain" route change 10.80.20.0/24 dev c0 \
		src 10.80.20.1 congctl "$CONGESTION"
}

generate_nginx_conf() {
	cat >"$work/nginx.conf" <<-EOF
		daemon off;
		user root;
		worker_processes 2;
		pid $work/nginx.pid;
		error_log $work/nginx-error.log;
		events { worker_connections 4096; }
		http {
			access_log off;
			sendfile on;
			tcp_nopush on;
			open_file_cache max=1000 inactive=1h;
			open_file_cache_valid 1h;
			keepalive_requests 1000000000;
			keepalive_timeout 1h;
			send_timeout 1h;
			default_type text/html;
			client_body_temp_path $work/nginx/body;
			proxy_temp_path $work/nginx/proxy;
			fastcgi_temp_path $work/nginx/fastcgi;
			uwsgi_temp_path $work/nginx/uwsgi;
			scgi_temp_path $work/nginx/scgi;
			server {
				listen 10.80.20.1:80 reuseport;
				location /c/ { root $work/www; }
			}
		}
	EOF
}

is_listening() {
	[[ -n $(in_netns plain ss -Htln sport = :80) ]]
}

start_nginx() {
	mkdir -p "$work/nginx"
	generate_nginx_conf
	start nginx plain nginx -e "$work/nginx-error.log" -c "$work/nginx.conf"
	await nginx is_listening
}

main() {
	preflight_root cc ethtool nginx python3 ss
	trap clean_up EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	work=$(mktemp -d "${TMPDIR:-/tmp}/sluice-wire.XXXXXX")
	c_tool fetch
	generate_conf
	lab up --conf "$work/gateway.ini" --wire "offload=$OFFLOAD"
	kill "$(lab_pid wire)" # each run has a wire of its own
	build_networks
	start_nginx
	# In the background, so that a signal is heeded at once; -B: no files beside the sources.
	WIRE=$ROOT/build/wire FETCH=$work/fetch WWW=$work/www/c python3 -B "$HERE/bench/wire.py" &
	children+=("$!")
	wait "$!"
}

main

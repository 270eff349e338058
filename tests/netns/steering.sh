#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# steering.sh: every request reaches the backend that its path selects, on one connection with kernel
# answers between; bodies of both directions pass whole; refused hand-overs go to the next backend.
# No health probes here: what a backend refuses is found out by the request itself.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"
suite s

configuration() {
	conf_gateway ''
	conf_backends 'weight = 3' 'weight = 1'
	conf_pools 'default = yes'
	conf_components
	cat <<-INI
		[backend full]
		address = 10.80.1.2:3009, [fd80:1::2]:3009
		netns = $LAB-node1
		interface = eth0

		[pool half]
		backends = full, node2

		[route half]
		path = /half/
		pool = half
	INI
}

steering() {
	checks_of "steering.py $*" in_ns client python3 "$HERE/steering.py" "$work/components" "$@"
}

bodies() {
	checks_of "bodies.py $1" in_ns client python3 "$HERE/bodies.py" "$work/components" "$1"
}

# Sockets of clients that backends have: those of the port 3000 that are not over loopback.
legs_of_clients() {
	local node
	for node in node1 node2; do
		in_ns "$node" ss -Htn state established state close-wait state last-ack state fin-wait-1 \
			state fin-wait-2 sport = :3000
	done
}

# shellcheck disable=SC2317 # called by wait_until
no_legs() {
	[[ -z $(legs_of_clients) ]]
}

# Node itself closes idle connections after 5 s: it must not come to that.
legs_end_with_clients() {
	local name="no backend keeps a connection whose client has gone"
	if wait_until 4 no_legs; then
		ok "$name"
	else
		failed "$name" "none" "$(legs_of_clients | head -n 3)"
	fi
}

nothing_sent_again() {
	local node
	for node in node1 node2; do
		check "$1: retransmission timeouts at $node" 0 "$(nstat_of "$node" TcpExtTCPTimeouts)"
		check "$1: PAWS drops at $node" 0 "$(nstat_of "$node" TcpExtPAWSEstab)"
	done
}

# answers_to PATH COUNT: who answered that many fresh connections, "STATUS BACKEND" sorted, once each.
answers_to() {
	local urls=() i
	for ((i = 0; i < $2; i++)); do
		urls+=(-o /dev/null "http://$VIP4$1")
	done
	in_ns client curl -sS --max-time 20 --no-keepalive -H 'Connection: close' \
		-w '%{http_code} %header{x-backend}\n' "${urls[@]}" 2>&1 | sort -u
}

full_queue() {
	local overflows
	spawn "$work/full.log" node1 python3 "$HERE/full_listener.py" 3009
	wait_until 10 grep -sqx full "$work/full.log"
	overflows=$(nstat_of node1 TcpExtListenOverflows)
	check "a full accept queue: the other backend takes it" "200 node2" "$(answers_to /half/bytes/10 20)"
	check "a full accept queue: dropped by its own kernel" "$overflows" \
		"$(nstat_of node1 TcpExtListenOverflows)"
}

refusals() {
	local pid
	read -r pid _ <"$(state_dir)/node2.pid"
	steering killed "$pid"
	stop_node node2
	steering served-by node1
	stop_node node1
	steering unavailable
	start_node node1
	steering served-by node1
	start_node node2
	steering served-by node1 node2
}

# A client with 500 ports, which may use one again after a second (Linux: only with timestamps).
reused_ports() {
	in_ns client sysctl -qw net.ipv4.ip_local_port_range="40000 40499" net.ipv4.tcp_tw_reuse=1
	steering reused_ports
	in_ns client sysctl -qw net.ipv4.ip_local_port_range="32768 60999"
}

configuration >"$work/gateway.ini"
bring_up --conf "$work/gateway.ini"
steering peers
steering turns
nothing_sent_again "turns"
steering pauses
nothing_sent_again "pauses"
bodies small
bodies large
checks_of "websocket.mjs" in_ns client node "$HERE/websocket.mjs"
steering ends
legs_end_with_clients
steering weights
reused_ports
full_queue
refusals
finish

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# sticky.sh: a pool with `sticky` keeps the values of its cookie on their backends, over IPv4 and
# IPv6 and a restart of the daemon; only the keys of a backend that is down move. A pool of its own
# for each VIP's default.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"
suite k

HEALTH='health = GET /healthz interval=200ms timeout=150ms fall=2 rise=1'

configuration() {
	conf_gateway ''
	conf_backends "$HEALTH" "$HEALTH"
	cat <<-INI
		[pool ssr]
		backends = node1, node2
		sticky = cookie:sid
		default = $VIP4:80

		[pool six]
		backends = node2, node1
		sticky = cookie:sid
		default = [$VIP6]:80
	INI
}

sticky() {
	checks_of "sticky.py $*" in_ns client python3 "$HERE/sticky.py" "$1" 40 "$work/keys" "${@:2}"
}

# is_down BACKEND, is_up BACKEND
is_down() { sluice status | grep -q "$1: down"; }
is_up() { sluice status | grep -q "$1: up"; }

configuration >"$work/gateway.ini"
bring_up --conf "$work/gateway.ini"
sticky "$VIP4" same node1 node2
sticky "$VIP4" same
sticky "$VIP6" same
stop_node node2
wait_until 10 is_down node2
sticky "$VIP4" moved node1
start_node node2
wait_until 10 is_up node2
sticky "$VIP4" same node1 node2
finish

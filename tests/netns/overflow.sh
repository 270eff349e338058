#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# overflow.sh: three times as many clients as the flow table has room for leave without a word, while
# the daemon is dead. What they leave behind must give way to those who come.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"
suite o

FLOWS=1024

# What leaves the client with these flags is lost, and the sender does not know.
lose() {
	in_ns client nft -f - <<-NFT
		table inet lose {
			chain output {
				type filter hook output priority filter; policy accept;
				$1
			}
		}
	NFT
}

lose_nothing() {
	in_ns client nft delete table inet lose
}

# shellcheck disable=SC2317 # called by wait_until
is_served() {
	in_ns client curl -sf -o "$work/served" --max-time 1 "http://$VIP4/c/1"
}

# vanished NAME RULE HOW RATE: clients vanish, then others are served: at once, or when those that were
# served a moment ago count as silent (0.3 s).
vanished() {
	local bad
	lose "$2"
	bad=$(in_ns client python3 "$HERE/vanish.py" $((3 * FLOWS)) "$4" "$3" 2>&1)
	lose_nothing
	check "$1: $((3 * FLOWS)) clients come before they vanish" "0 errors" "$bad"
	wait_until 3 is_served
	core "$1" a=node1 b=node2
}

{
	conf_gateway "flows = $FLOWS
source-flows = 0"
	conf_backends '' ''
	conf_pools 'default = yes'
	conf_components
} >"$work/gateway.ini"
bring_up --no-gateway
bring_up_gateway
kill -KILL "$gateway_pid"
NO_END="tcp dport 80 tcp flags & (fin | rst) != 0 drop"
NO_ACK="tcp dport 80 tcp flags & (syn | psh) == 0 drop"
vanished "idle clients vanish" "$NO_END" idle 100000
# What is not idle gives way when its client has been silent for a second: they must not come faster.
vanished "clients vanish before an ACK" "$NO_END" unacked 200
vanished "clients vanish in a head" "$NO_END" half 200
vanished "clients vanish in an answer" "$NO_ACK" unread 200
finish

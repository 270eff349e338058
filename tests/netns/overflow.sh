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

is_served() {
	in_ns client curl -sf -o "$work/served" --max-time 1 "http://$VIP4/c/1"
}

# vanished NAME RULE HOW: clients vanish, then others are served: at once, or when those that were
# served a moment ago count as silent (0.3 s).
vanished() {
	local bad
	lose "$2"
	bad=$(in_ns client python3 "$HERE/vanish.py" $((3 * FLOWS)) "$3" 2>&1)
	lose_nothing
	check "$1: $((3 * FLOWS)) clients come before they vanish" "0 errors" "$bad"
	wait_until 3 is_served
	checks_of "$1: served" in_ns client python3 "$HERE/core.py" "$1" "$work/components" \
		a=node1 b=node2
}

{
	conf_gateway "flows = $FLOWS"
	conf_backends '' ''
	conf_pools 'default = yes'
	conf_components
} >"$work/gateway.ini"
bring_up --no-gateway
bring_up_gateway
kill -KILL "$gateway_pid"
vanished "idle clients vanish" "tcp dport 80 tcp flags & (fin | rst) != 0 drop" idle
vanished "clients vanish in a head" "tcp dport 80 tcp flags & (fin | rst) != 0 drop" half
vanished "clients vanish in an answer" "tcp dport 80 tcp flags & (syn | psh) == 0 drop" unread
finish

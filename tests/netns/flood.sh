#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# flood.sh: SYNs, and ACKs of handshakes that never were, from random sources. No flow entry is spent,
# RSTs stay within their limit, and legitimate clients are served meanwhile. Speed is for make
# bench-flood.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"
suite e

RATE=20000 # a second
FLOOD_S=3
SENT=$((RATE * FLOOD_S))

mac_of() {
	ip -n "$LAB-$1" -o link show "$2" | sed 's/.*link.ether \([^ ]*\).*/\1/'
}

# state KEY...: numbers of `sluice status --json`, `flows` for all entries together.
state() {
	sluice status --json | jq -r '. as $all | $ARGS.positional | map(
		if . == "flows" then $all.flows | .open + .closing + .closed
		else $all.counters[.] end) | map(tostring) | join(" ")' --args "$@"
}

# flood KIND COUNTER: SENT packets while another client asks; COUNTER must see them all.
flood() {
	local before after flows made seen resets limit
	before=$(state flows cookie_ok "$2" rst_sent)
	spawn "$work/flood.log" client "$ROOT/build/flood" "$1" f0 "$(mac_of gw gw1)" "$VIP4" 80 \
		"$RATE" "$FLOOD_S"
	in_ns client "$ROOT/build/fetch" -c 16 -n 400 -r 200 -t "$((FLOOD_S - 1))" "$VIP4" 80 /c/14336 \
		"$work/components/14336" >"$work/fetch.json"
	wait_until 10 flood_ends "$1"
	after=$(state flows cookie_ok "$2" rst_sent)
	read -r flows made seen resets < <(paste -d ' ' <(tr ' ' '\n' <<<"$after") \
		<(tr ' ' '\n' <<<"$before") | awk '{ printf "%d ", $1 - $2 }')
	echo "# $1 flood: $(tail -n 1 "$work/flood.log"); entries $flows, connections $made," \
		"$2 $seen, RSTs $resets; $(cat "$work/fetch.json")"
	if ((seen >= SENT)); then ok "the gateway sees the $1 flood"; else
		failed "the gateway sees the $1 flood" "$2: at least $SENT" "$seen"
	fi
	# 16 are those of the client beside it. An ACK is right by chance once in 2^24 cases.
	[[ $1 == syn || $made != 17 ]] || { made=16 && flows=$((flows - 1)); }
	check "no connection is made of the $1 flood" 16 "$made"
	check "no flow entry is spent on the $1 flood" 16 "$flows"
	check "clients are served during the $1 flood" "400 0 0 0" \
		"$(jq -r '"\(.answers) \(.wrong) \(.failed) \(.unfinished)"' "$work/fetch.json")"
	limit=$((64 * 16 * (FLOOD_S + 1) * $(nproc))) # 64 in 67 ms and CPU
	if ((resets <= limit)); then ok "RSTs for the $1 flood stay within their limit"; else
		failed "RSTs for the $1 flood stay within their limit" "at most $limit" "$resets"
	fi
}

# shellcheck disable=SC2317 # called by wait_until
flood_ends() {
	! kill -0 "$spawned" 2>/dev/null
}

conf_standard | sed 's/^uplink = gw0$/uplink = gw0, gw1/' >"$work/gateway.ini"
bring_up --no-gateway
# The client's netns has nothing of the addresses that are answered there: its stack drops them.
ip -n "$LAB-client" link add f0 type veth peer name gw1 netns "$LAB-gw"
ip -n "$LAB-client" link set f0 up
ip -n "$LAB-gw" link set gw1 up
bring_up_gateway
flood syn syn
flood ack cookie_bad
finish

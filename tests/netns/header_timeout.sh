#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# header_timeout.sh: clients that do not finish a header block get 408 in time and nothing is left of
# them, with a daemon and without; those that finish it, or rest between two requests, are served.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"
suite h

REST_S=63 # longer than a connection without a request, or a closed one, is kept
RESTING=8
N_408=16 # of `slow`
METRICS=127.0.0.1:9464

# backend NAME PORT: on node1, with a pool and the route /NAME/.
backend() {
	cat <<-INI
		[backend $1]
		address = 10.80.1.2:$2, [fd80:1::2]:$2
		netns = $LAB-node1
		interface = eth0

		[pool $1]
		backends = $1

		[route $1]
		path = /$1/
		pool = $1

	INI
}

# configuration TIMEOUT
configuration() {
	conf_gateway "flows = 1024
source-flows = 0
metrics = $METRICS
header-timeout = $1"
	conf_backends '' ''
	conf_pools ''
	conf_components
	backend keep 3002
	backend quiet 3003
	backend hasty 3004
}

answers() {
	in_ns node1 curl -sf --max-time 1 -o /dev/null "http://127.0.0.1:$1/healthz"
}

# start_server NAME PORT KEEPALIVE_MS
start_server() {
	spawn "$work/$1.log" node1 env NAME="$1" HOST=:: PORT="$2" KEEPALIVE_MS="$3" \
		NODE_ENV=production node "$ROOT/netns-lab/app/server.mjs"
	wait_until 20 answers "$2" || failed "backend $1" "a listener" "$(tail -n 3 "$work/$1.log")"
}

header_timeout() {
	checks_of "header_timeout.py $*" in_ns client python3 "$HERE/header_timeout.py" \
		"$work/components" "$@"
}

# reload_with TIMEOUT
reload_with() {
	configuration "$1" >"$work/gateway.ini"
	check_status "reload with header-timeout = $1" 0 sluice reload
}

# flows: "OPEN CLOSING"
flows() {
	sluice status --json | python3 -c 'import json, sys
flows = json.load(sys.stdin)["flows"]
print(flows["open"], flows["closing"])'
}

# shellcheck disable=SC2317 # called by wait_until
only_resting() {
	[[ $(flows) == "$RESTING 0" ]]
}

# buffers: how many of those for pieces of heads are held (struct stash).
buffers() {
	local instance pin
	instance=$(sluice status --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["instance"])')
	pin=$(find /sys/fs/bpf/sluice /run/sluice/bpf/sluice -path "*/$instance/*/stashes" 2>/dev/null)
	bpftool -j map dump pinned "$pin" | python3 -c 'import json, sys
print(sum(e["formatted"]["value"]["owner_slot"] != 0 for e in json.load(sys.stdin)))'
}

# shellcheck disable=SC2317 # called by wait_until
buffers_are_free() {
	[[ $(buffers) == 0 ]]
}

# Sockets of the backend that leaves idle connections open.
legs_of_keep() {
	in_ns node1 ss -Htn state connected sport = :3002
}

# shellcheck disable=SC2317 # called by wait_until
no_legs_of_keep() {
	[[ -z $(legs_of_keep) ]]
}

# eventually NAME PREDICATE ACTUAL: it holds within 4 s; the command ACTUAL says what is so otherwise.
eventually() {
	if wait_until 4 "$2"; then ok "$1"; else failed "$1" "$2" "$("$3")"; fi
}

# Two of three segments that end a connection do not reach the client.
lost() {
	in_ns client nft -f - <<-'NFT'
		table inet lose {
			chain input {
				type filter hook input priority filter; policy accept;
				tcp sport 80 tcp flags & fin != 0 numgen inc mod 3 < 2 counter drop
			}
		}
	NFT
	header_timeout lost
	check "so many were lost" 4 \
		"$(in_ns client nft list table inet lose | sed -n 's/.*counter packets \([0-9]*\).*/\1/p')"
	in_ns client nft delete table inet lose
}

nothing_left() {
	check "each of them is counted" "$N_408" "$(counter error_408)"
	check "and shown to Prometheus" "sluice_error_408_total $N_408" \
		"$(in_ns gw curl -sS --max-time 5 "http://$METRICS/metrics" | grep '^sluice_error_408_total ')"
	eventually "the buffers are free" buffers_are_free buffers
	eventually "the connections are over" only_resting flows
	eventually "no backend keeps a connection of theirs" no_legs_of_keep legs_of_keep
}

configuration 1s >"$work/gateway.ini"
bring_up --no-gateway
bring_up_gateway
start_server keep 3002 120000
start_server quiet 3003 120000
start_server hasty 3004 1000

in_ns client python3 "$HERE/header_timeout.py" "$work/components" rest "$REST_S" >"$work/rest" 2>&1 &
resting=$!
background+=("$resting")
wait_until 10 grep -sqx '# resting' "$work/rest" ||
	failed "connections that rest" "# resting" "$(tail -n 3 "$work/rest")"

header_timeout slow
nothing_left
lost
reload_with 10s
header_timeout patient
reload_with 1s
wait "$resting"
checks_of "header_timeout.py rest" cat "$work/rest"
kill -KILL "$gateway_pid"
header_timeout dead
eventually "without a daemon the buffers are free, too" buffers_are_free buffers
finish

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# relay.sh: the flow table is full of connections that wait for something. Others are relayed to the
# default pool, unless a route restricts; and one source may not have more flows than it is allowed.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"
suite r

FLOWS=1024
BUSY=3200 # so many that each of the table's buckets is full

# fill COUNT: busy clients; sets $held.
fill() {
	spawn "$work/fill.log" client python3 "$HERE/fill.py" "$1"
	filler=$spawned
	wait_until 60 grep -q '^held' "$work/fill.log"
	held=$(sed -n 's/^held //p' "$work/fill.log")
}

empty() {
	kill -KILL "$filler"
	rm -f "$work/fill.log"
}

# at_least NAME WANTED ACTUAL
at_least() {
	if (($3 >= $2)); then ok "$1"; else failed "$1" "at least $2" "$3"; fi
}

# configure [GATEWAY-LINES [MORE]]
configure() {
	conf_gateway "${1:-}" >"$work/gateway.ini"
	{
		conf_backends '' ''
		conf_pools 'default = yes'
		echo "${2:-}"
	} >>"$work/gateway.ini"
}

# curl_codes PATH COUNT: the statuses of fresh connections, each once.
curl_codes() {
	local i
	for ((i = 0; i < $2; i++)); do
		in_ns client curl -s -o /dev/null -w '%{http_code}\n' --max-time 5 "http://$VIP4$1"
	done | sort -u | paste -sd ' '
}

curl_post() {
	in_ns client curl -s --max-time 10 --data-binary "@$work/body" "http://$1/whoami" |
		python3 -c 'import json, sys; print(json.load(sys.stdin)["bodySha256"])'
}

relayed() {
	local before after sum
	sum=$(sha256sum <"$work/body" | cut -d ' ' -f 1)
	before=$(counter relay_new)
	check "curl: GETs on one connection" "200 1,200 0,200 0" "$(in_ns client curl -s --max-time 10 \
		-o /dev/null -w '%{http_code} %{num_connects}\n' "http://$VIP4/whoami" -o /dev/null \
		"http://$VIP4/bytes/200000" -o /dev/null "http://$VIP4/" | paste -sd ,)"
	check "curl: 1 MB, IPv4" "$sum" "$(curl_post "$VIP4")"
	check "curl: 1 MB, IPv6" "$sum" "$(curl_post "[$VIP6]")"
	checks_of relay.py in_ns client python3 "$HERE/relay.py" "$work/body"
	after=$(counter relay_new)
	at_least "they were relayed" 15 $((after - before))
	checks_of relay_agent.mjs in_ns client node "$HERE/relay_agent.mjs" "$work/body"
	at_least "http.Agent: they were relayed, too" 7 $(($(counter relay_new) - after))
	check "one backend dies: the other takes all" 200 "$(stop_node node1 && curl_codes /whoami 10)"
	start_node node1
}

# A reload that forbids a path ends all relays and makes no new one.
forbidden() {
	configure "flows = $FLOWS
source-flows = 0" "[route no]
path = /deny/
deny = 403"
	check_status "reload with a route that denies" 0 sluice reload
	check "beside a deny route: 503" 503 "$(curl_codes /whoami 10)"
	check "what is denied: 503 too" 503 "$(curl_codes /deny/x 10)"
	configure "flows = $FLOWS
source-flows = 0" "[route some]
path = /some/
from = 10.80.0.3
pool = ssr"
	check_status "reload with a route for some clients only" 0 sluice reload
	check "beside a route with 'from': 503" 503 "$(curl_codes /whoami 10)"
}

# Busy clients of one address, more than it may have.
limited() {
	local before
	kill -TERM "$gateway_pid"
	wait_until 10 is_down
	check_status "unload" 0 sluice unload
	configure "flows = 16384
source-flows = 60" "[route no]
path = /deny/
deny = 403"
	start_gateway limited || failed "sluice run" ready "$(tail -n 5 "$work/limited.log")"
	before=$(counter source_full)
	fill 100
	check "source-flows = 60: of 100 clients, half IPv4 and half IPv6, none is refused" 100 "$held"
	empty
	wait_until 10 is_empty
	fill 200
	check "of 200 the first 60 of each family stay" 120 "$held"
	at_least "the others are counted" 80 $(($(counter source_full) - before))
	check "flows" 120 "$(open_flows)"
	check "another connection of this source: 503" 503 "$(curl_codes /whoami 1)"
	empty
	wait_until 10 is_empty
	check "when they are gone: 200" 200 "$(curl_codes /whoami 1)"
}

# shellcheck disable=SC2317 # called by wait_until
is_down() {
	! kill -0 "$gateway_pid" 2>/dev/null
}

open_flows() {
	sluice status --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["flows"]["open"])'
}

# shellcheck disable=SC2317 # called by wait_until
is_empty() {
	[[ $(open_flows) == 0 ]]
}

head -c 1048576 /dev/urandom >"$work/body"
configure "flows = $FLOWS
source-flows = 0"
bring_up --no-gateway
bring_up_gateway
fill "$BUSY"
# Some flows find no room for their leg.
at_least "busy clients are held" $((BUSY * 99 / 100)) "$held"
at_least "those beyond $FLOWS are relayed" $((BUSY * 99 / 100 - FLOWS)) "$(counter relay_new)"
relayed
forbidden
empty
limited
finish

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# local.sh: backends in the gateway's own network namespace, alone, two of them, and mixed with a
# remote one on one connection; refused hand-overs between local and remote backends.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"
suite l

configuration() {
	conf_gateway ''
	cat <<-INI
		[backend local1]
		address = 10.80.0.1:3001, [fd80::1]:3001

		[backend local2]
		address = 10.80.0.1:3002, [fd80::1]:3002

		[backend remote]
		address = 10.80.1.2:3000, [fd80:1::2]:3000
		netns = $LAB-node1
		interface = eth0

		[pool ssr]
		backends = local1, local2
		default = yes

		[pool a]
		backends = local1

		[pool b]
		backends = local2

		[pool r]
		backends = remote

		[pool mixed]
		backends = local1, remote

		[route a]
		path = /a/
		pool = a

		[route b]
		path = /b/
		pool = b

		[route r]
		path = /r/
		pool = r

		[route mixed]
		path = /mixed/
		pool = mixed

	INI
	conf_components
}

# shellcheck disable=SC2317
local_is_gone() {
	[[ -z $(in_ns gw ss -Htln sport = ":$1") ]]
}

# answers_to PATH: who answers 20 fresh connections over IPv4 and 20 over IPv6, "STATUS BACKEND".
answers_to() {
	local urls=()
	for _ in {1..20}; do
		urls+=(-o /dev/null "http://$VIP4$1" -o /dev/null "http://[$VIP6]$1")
	done
	in_ns client curl -sS --max-time 20 -H 'Connection: close' \
		-w '%{http_code} %header{x-backend}\n' "${urls[@]}" 2>&1 | sort -u | xargs
}

refusals() {
	check "both local backends take requests" "200 local1 200 local2" "$(answers_to /bytes/10)"
	check "a local and a remote one take requests" "200 local1 200 node1" \
		"$(answers_to /mixed/bytes/10)"
	kill -KILL "$pid1"
	wait_until 10 local_is_gone 3001
	check "local1 refuses: local2 takes all" "200 local2" "$(answers_to /bytes/10)"
	check "local1 refuses: the remote one takes all" "200 node1" "$(answers_to /mixed/bytes/10)"
	check "local1 refuses: 503 for its own route" "503" "$(answers_to /a/bytes/10)"
	kill -KILL "$pid2"
	wait_until 10 local_is_gone 3002
	check "both refuse: 503" "503" "$(answers_to /bytes/10)"
	start_local 1
	check "local1 is back" "200 local1" "$(answers_to /bytes/10)"
	stop_node node1
	check "the remote one refuses: local1 takes all" "200 local1" "$(answers_to /mixed/bytes/10)"
}

# The backends' own ports are not reached past the gateway's rules.
not_in_the_way() {
	check "the gateway's own addresses are not touched" "200 local1" \
		"$(in_ns client curl -sS --max-time 10 -o /dev/null -w '%{http_code} %header{x-backend}' \
			http://10.80.0.1:3001/bytes/10 2>&1)"
}

conf=$(configuration)
echo "$conf" >"$work/gateway.ini"
bring_up --no-gateway
start_local 1
pid1=$spawned
start_local 2
pid2=$spawned
bring_up_gateway
core "local, local, remote" a=local1 b=local2 r=node1
not_in_the_way
refusals
for ns in gw client; do
	check "retransmission timeouts in $ns" 0 "$(nstat_of "$ns" TcpExtTCPTimeouts)"
	check "wrong checksums in $ns" 0 "$(nstat_of "$ns" TcpInCsumErrors)"
done
finish

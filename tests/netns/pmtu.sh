#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# pmtu.sh: links of all sizes between client and backends. Two routers stand before the gateway; the
# link between them is the narrow one, so that its MTU is known to nobody but by ICMP:
#
#   client eth0 --- c r1 mid --- mid r2 g --- gw0 gw n1, n2 --- eth0 node1, node2
#        50.2      50.1 51.1   51.2 0.2    0.1

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"
suite x

LENGTH=1000000

routers_gone() {
	local ns
	for ns in r1 r2; do
		[[ ! -e /run/netns/$LAB-$ns ]] || ip netns del "$LAB-$ns"
	done
}

# address NS DEVICE A.B: 10.80.A.B, and fd80:A::B.
address() {
	ip -n "$LAB-$1" addr add "10.80.$3/24" dev "$2"
	ip -n "$LAB-$1" addr add "fd80:${3%.*}::${3#*.}/64" dev "$2" nodad
}

# route NS TO VIA: subnet number or default, address as above.
route() {
	local to4=default to6=default
	[[ $2 == default ]] || to4=10.80.$2.0/24 to6=fd80:$2::/64
	ip -n "$LAB-$1" route replace "$to4" via "10.80.$3"
	ip -n "$LAB-$1" -6 route replace "$to6" via "fd80:${3%.*}::${3#*.}"
}

# The lab's one wire between client and gateway becomes three.
build_routers() {
	local ns
	for ns in r1 r2; do
		ip netns add "$LAB-$ns"
		ip -n "$LAB-$ns" link set dev lo up
		# Every packet that is too large is reported, however fast they come.
		in_ns "$ns" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
			net.ipv6.conf.default.accept_dad=0 net.ipv4.icmp_ratelimit=0 \
			net.ipv6.icmp.ratelimit=0 net.ipv4.icmp_msgs_per_sec=100000 \
			net.ipv4.icmp_msgs_burst=10000
	done
	ip -n "$LAB-client" link del eth0
	ip -n "$LAB-client" link add eth0 type veth peer name c netns "$LAB-r1"
	ip -n "$LAB-r1" link add mid type veth peer name mid netns "$LAB-r2"
	ip -n "$LAB-r2" link add g type veth peer name gw0 netns "$LAB-gw"
	for ns in client:eth0 r1:c r1:mid r2:mid r2:g gw:gw0; do
		ip -n "$LAB-${ns%:*}" link set dev "${ns#*:}" up
	done
	address client eth0 50.2
	address r1 c 50.1
	address r1 mid 51.1
	address r2 mid 51.2
	address r2 g 0.2
	address gw gw0 0.1
	route client default 50.1
	route r1 default 51.2
	route r2 default 0.1
	route r2 50 51.1
	route gw 50 0.2
	route gw 51 0.2
}

# mtu SIZE NS:DEVICE...
mtu() {
	local at
	for at in "${@:2}"; do
		ip -n "$LAB-${at%:*}" link set dev "${at#*:}" mtu "$1"
	done
}

# narrow SIZE: the link between the routers. What hosts have learnt of the way is forgotten.
narrow() {
	local ns
	mtu "$1" r1:mid r2:mid
	for ns in client gw node1 node2; do
		ip -n "$LAB-$ns" route flush cache
		ip -n "$LAB-$ns" -6 route flush cache
	done
}

vip() {
	if [[ $1 == 4 ]]; then echo "$VIP4"; else echo "[$VIP6]"; fi
}

# get FAMILY PATH CURL-ARGUMENTS...: a report that is lost costs a retransmission timeout or more;
# all is well when no request takes half a second.
get() {
	in_ns client curl -sS --max-time 5 "${@:3}" "http://$(vip "$1")$2" 2>&1
}

component() {
	check "$1, IPv$2: component of 64 KB" "$(md5sum <"$work/components/65536")" \
		"$(get "$2" /c/65536 | md5sum)"
}

from_backend() {
	check "$1, IPv$2: 1 MB from $3" "$pattern" "$(get "$2" "$4/bytes/$LENGTH" | md5sum)"
}

to_backend() {
	check "$1, IPv$2: 1 MB to $3" "$(sha256sum <"$work/upload" | cut -d ' ' -f 1)" \
		"$(get "$2" "$4/whoami" -H Expect: --data-binary "@$work/upload" |
			sed -n 's/.*"bodySha256":"\([0-9a-f]*\)".*/\1/p')"
}

# transfers NAME FAMILY...
transfers() {
	local family
	for family in "${@:2}"; do
		component "$1" "$family"
		from_backend "$1" "$family" node1 /a
		to_backend "$1" "$family" node1 /a
	done
}

# known_mtu NS FAMILY: what that namespace's stack has learnt of the way to the client.
known_mtu() {
	local to=10.80.50.2
	[[ $2 == 4 ]] || to=fd80:50::2
	ip -n "$LAB-$1" route get "$to" | sed -n 's/.* mtu \([0-9]*\).*/\1/p'
}

known_client_mtu() {
	local to=$VIP4
	[[ $1 == 4 ]] || to=$VIP6
	ip -n "$LAB-client" route get "$to" | sed -n 's/.* mtu \([0-9]*\).*/\1/p'
}

# mss_of NS PORT: of the one connection that a backend has with the client.
mss_of() {
	in_ns "$1" ss -tinH state established "sport = :$2" | sed -n 's/.* mss:\([0-9]*\).*/\1/p'
}

# sum_of NS NAME...: of counters of its stack.
sum_of() {
	local name sum=0
	for name in "${@:2}"; do
		sum=$((sum + $(nstat_of "$1" "$name")))
	done
	echo "$sum"
}

# Timeouts of Node's connections, and of the client's: nobody may have waited for one.
timeouts() {
	echo "$(sum_of node1 TcpExtTCPTimeouts) $(sum_of gw TcpExtTCPTimeouts)" \
		"$(sum_of client TcpExtTCPTimeouts)"
}

# reports: how many packets r2 could not forward.
reports() {
	sum_of r2 IcmpOutDestUnreachs Icmp6OutPktTooBigs
}

# on_one_connection FAMILY NS PORT PATH...: the MSS of the backend's connection after these requests.
on_one_connection() {
	local urls=() path client mss
	for path in "${@:4}"; do
		urls+=(-o /dev/null "http://$(vip "$1")$path")
	done
	in_ns client curl -sS --max-time 10 "${urls[@]}" </dev/null >"$work/one" 2>&1 &
	client=$!
	sleep 1 # the last request is answered after 2 s
	mss=$(mss_of "$2" "$3")
	wait "$client" || mss="curl's exit status $?"
	echo "$mss"
}

# learn FAMILY MSS: both kinds of destination find the narrow link out.
learn() {
	local before waits
	waits=$(timeouts)
	narrow 1300
	before=$(counter icmp_mtu)
	component "narrow 1300" "$1"
	check "narrow 1300, IPv$1: the kernel took a report" 1 "$(($(counter icmp_mtu) > before))"
	check "narrow 1300, IPv$1: node1 knows nothing yet" "" "$(known_mtu node1 "$1")"
	from_backend "narrow 1300" "$1" node1 /a
	check "narrow 1300, IPv$1: node1 has learnt it" 1300 "$(known_mtu node1 "$1")"
	from_backend "narrow 1300" "$1" local1 /l
	check "narrow 1300, IPv$1: the gateway has learnt it for local1" 1300 "$(known_mtu gw "$1")"
	to_backend "narrow 1300" "$1" node1 /a
	check "narrow 1300, IPv$1: the client has learnt it" 1300 "$(known_client_mtu "$1")"
	check "narrow 1300, IPv$1: nobody waited for a timeout" "$waits" "$(timeouts)"
	narrow 1300
	check "narrow 1300, IPv$1: node1's connection after a report" "$2" \
		"$(on_one_connection "$1" node1 3000 /a/bytes/200000 /a/slow/2000)"
	narrow 1300
	check "narrow 1300, IPv$1: a leg that is opened after a report to the kernel" "$2" \
		"$(on_one_connection "$1" node1 3000 /c/65536 /a/slow/2000)"
	check "narrow 1300, IPv$1: for which node1 needed none" "" "$(known_mtu node1 "$1")"
}

# A report to a backend is one to the connection: the kernel's later answers fit at once.
learn_once() {
	local before client
	narrow 1300
	in_ns client curl -sS --max-time 10 -o /dev/null "http://$(vip "$1")/a/bytes/200000" \
		-o /dev/null "http://$(vip "$1")/a/slow/2000" \
		-o "$work/after" "http://$(vip "$1")/c/65536" </dev/null >"$work/one" 2>&1 &
	client=$!
	sleep 1
	before=$(reports)
	wait "$client"
	check "narrow 1300, IPv$1: component after node1" \
		"$(md5sum <"$work/components/65536")" "$(md5sum <"$work/after")"
	check "narrow 1300, IPv$1: reports about it" 0 "$(($(reports) - before))"
}

# crowd FAMILY: 40 connections at once, each of which needs reports of its own.
crowd() {
	local bad
	narrow 1300
	bad=$(counter icmp_bad)
	# shellcheck disable=SC2016 # $0 and $1 are that shell's
	check "narrow 1300, IPv$1: 40 components at once" \
		"40 $(md5sum <"$work/components/65536")" \
		"$(in_ns client bash -c 'for i in {1..40}; do
				curl -sS --max-time 10 "$0" | md5sum &
			done; wait' "http://$(vip "$1")/c/65536" 2>&1 | sort | uniq -c | sed 's/^ *//')"
	check "narrow 1300, IPv$1: reports that were not believed" 0 "$(($(counter icmp_bad) - bad))"
}

# reload_with SIZE NS:DEVICE...
reload_with() {
	mtu "$@"
	check_status "reload, ${*:2} $1" 0 sluice reload
}

sizes() {
	local link="client:eth0 r1:c" size family
	for size in 1280 1281 1400 1492; do
		# shellcheck disable=SC2086
		mtu "$size" $link
		transfers "client $size" 4 6
	done
	# shellcheck disable=SC2086
	mtu 9000 $link
	narrow 9000
	transfers "client 9000" 4 6
	narrow 1400
	transfers "client 9000, narrow 1400" 4 6
	narrow 9000
	reload_with 1400 gw:n1 node1:eth0
	transfers "client 9000, node1 1400" 4 6
	narrow 1280
	transfers "client 9000, node1 1400, narrow 1280" 4 6
	narrow 9000
	reload_with 1400 r2:g gw:gw0
	transfers "gateway 1400, node1 1400" 4 6
	reload_with 9000 r2:g gw:gw0 gw:n1 node1:eth0 gw:n2 node2:eth0
	transfers "9000 everywhere" 4 6
	narrow 1300
	transfers "9000 but for narrow 1300" 4 6
	narrow 9000
	# shellcheck disable=SC2086
	mtu 1500 $link
	ip -n "$LAB-client" route replace default via 10.80.50.1 advmss 300
	ip -n "$LAB-client" -6 route replace default via fd80:50::1 advmss 300
	for family in 4 6; do
		component "client's MSS 300" "$family"
		check "client's MSS 300, IPv$family: no socket would take a hand-over" 503 \
			"$(get "$family" /a/bytes/1 -o /dev/null -w '%{http_code}')"
	done
	ip -n "$LAB-client" route replace default via 10.80.50.1
	narrow 600
	transfers "narrow 600" 4
	narrow 9000
	# shellcheck disable=SC2086
	mtu 576 $link # ends IPv6 there
	transfers "client 576" 4
	narrow 552
	transfers "client 576, narrow 552" 4
}

trap 'routers_gone; clean_up' EXIT
{
	conf_standard
	conf_local
} >"$work/gateway.ini"
component_file "$work/upload" "$LENGTH" upload
pattern=$(python3 -c 'import sys
n = int(sys.argv[1])
print(("abcdefghijklmnopqrstuvwxyz" * (n // 26 + 1))[:n], end="")' "$LENGTH" | md5sum)
bring_up --no-gateway
build_routers
start_local 1
bring_up_gateway
transfers "1500 everywhere" 4 6
((n_failed == 0)) || finish
learn 4 1248
learn 6 1228
learn_once 4
learn_once 6
crowd 4
crowd 6
narrow 1500
sizes
finish

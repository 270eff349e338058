#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# options.sh: the core checks with clients and backends whose TCP knows less, and with MTUs that differ
# on both sides of the gateway: nobody tells the two ends of a connection about each other's.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"
suite p

# with NS SETTING... -- NAME: core checks while the sysctls are set so; then they are as before.
with() {
	local ns=$1 settings=() before=() key
	shift
	while [[ $1 != -- ]]; do
		key=${1%%=*}
		before+=("$key=$(in_ns "$ns" sysctl -n "$key")")
		settings+=("$1")
		shift
	done
	in_ns "$ns" sysctl -qw "${settings[@]}"
	core "$2" a=node1 b=node2 l=local1
	in_ns "$ns" sysctl -qw "${before[@]}"
}

# mtu BYTES NS:DEVICE...
mtu() {
	local device
	for device in "${@:2}"; do
		ip -n "$LAB-${device%:*}" link set "${device#*:}" mtu "$1"
	done
}

no_timeouts() {
	check "retransmission timeouts of the client" 0 "$(nstat_of client TcpExtTCPTimeouts)"
}

{
	conf_standard
	conf_local
} >"$work/gateway.ini"
bring_up --no-gateway
start_local 1
bring_up_gateway
with client net.ipv4.tcp_timestamps=0 -- "client without timestamps"
with client net.ipv4.tcp_sack=0 -- "client without SACK"
with client net.ipv4.tcp_window_scaling=0 -- "client without window scaling"
with client net.ipv4.tcp_timestamps=0 net.ipv4.tcp_sack=0 net.ipv4.tcp_window_scaling=0 -- \
	"client without options"
with client net.ipv4.tcp_timestamps=2 -- "client with timestamps that start at 0"
with client net.ipv4.tcp_ecn=1 -- "client with ECN"
with client net.ipv4.tcp_rmem="4096 4096 6000000" -- "client with a small window"
mtu 1280 client:eth0
core "client's MTU 1280" a=node1 b=node2 l=local1
mtu 1500 client:eth0
mtu 1280 node1:eth0 gw:n1
check_status "reload after a backend's MTU became 1280" 0 sluice reload
core "a backend's MTU 1280" a=node1 b=node2 l=local1
mtu 1500 node1:eth0 gw:n1
mtu 9000 client:eth0 gw:gw0
check_status "reload after the uplink's MTU became 9000" 0 sluice reload
core "the client's and the uplink's MTU 9000" a=node1 b=node2 l=local1
mtu 9000 node1:eth0 gw:n1
check_status "reload after a backend's MTU became 9000" 0 sluice reload
core "the client's and one backend's MTU 9000" a=node1 b=node2 l=local1
no_timeouts
finish

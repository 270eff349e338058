#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# checksum.sh: the core checks with every kind of checksum and segmentation offload. With `tx off` the
# sums on the wire are real, and receivers verify them; with it on, the field holds a part of them.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"
suite k

DEVICES="client:eth0 gw:gw0 gw:n1 gw:n2 node1:eth0 node2:eth0"
NAMESPACES="client gw node1 node2"

# offload DEVICES FEATURE STATE...: NS:DEVICE ones
offload() {
	local device
	for device in $1; do
		in_ns "${device%:*}" ethtool -K "${device#*:}" "${@:2}" >"$work/ethtool" 2>&1 ||
			failed "ethtool ${device} ${*:2}" "exit status 0" "$(<"$work/ethtool")"
	done
}

# Wrong sums that receivers have found, each namespace's.
checksum_errors() {
	local ns
	for ns in $NAMESPACES; do
		echo "$ns $(nstat_of "$ns" TcpInCsumErrors)"
	done
}

# mode NAME: core checks as the devices are set now.
mode() {
	local before
	before=$(checksum_errors)
	core "$1" a=node1 b=node2 l=local1
	check "$1: wrong checksums" "$before" "$(checksum_errors)"
}

{
	conf_standard
	conf_local
} >"$work/gateway.ini"
bring_up --no-gateway
start_local 1
bring_up_gateway
mode "all offloads"
offload "$DEVICES" tx off
mode "tx off"
offload "$DEVICES" tso off gso off gro off
mode "tx, tso, gso, gro off"
offload "$DEVICES" tx on
mode "tso, gso, gro off"
offload "$DEVICES" tso on gso on
offload "client:eth0" tx off
mode "client tx off"
offload "client:eth0" tx on
offload "node1:eth0 node2:eth0" tx off
mode "backends tx off"
offload "node1:eth0 node2:eth0" tx on
offload "$DEVICES" gro on
mode "gro on"
offload "$DEVICES" tx off
mode "gro on, tx off"
finish

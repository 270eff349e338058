#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# upload.sh: 50 MB to Node and 50 MB back, with and without loss, with segments as the offloads make
# them and with single ones, and slow readers on both sides. Every byte is right, and the kernel
# answers on the same connection before and after.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"
suite u

MB=$((1024 * 1024))
SIZE=$((50 * MB))

# upload NAME GROUP SIZE CHUNKED
upload() {
	checks_of "upload.py: $1 $2" in_ns client timeout 240 \
		python3 "$HERE/upload.py" "$work/components" "$@"
}

slow_answers() {
	in_ns node1 curl -s --max-time 1 -o /dev/null http://127.0.0.1:3002/
}

configuration() {
	conf_standard
	cat <<-INI
		[backend rest]
		address = 10.80.1.2:3002, [fd80:1::2]:3002
		netns = $LAB-node1
		interface = eth0

		[pool rest]
		backends = rest

		[route rest]
		path = /rest/
		pool = rest
	INI
}

# bring_up_all WIRE: a lab with that wire, or none, and the slow receiver.
bring_up_all() {
	configuration >"$work/gateway.ini"
	bring_up --conf "$work/gateway.ini" ${1:+--wire "$1"}
	spawn "$work/rest.log" node1 env PORT=3002 REST_MS=5 node "$HERE/slow_receiver.mjs"
	wait_until 20 slow_answers || failed "the slow receiver" "a listener" "$(tail -n 3 "$work/rest.log")"
}

# gso_frames: those of the wire that has just been taken down, in the direction with the fewest.
gso_frames() {
	sed -n 's/.* gso \([0-9]*\) longest.*/\1/p' "$work/down.log" | sort -n | head -n 1
}

# dropped_frames: lines of that wire on frames that it could not relay.
dropped_frames() {
	grep -- '->' "$work/down.log" | grep -v 'dropped: receive 0 oversize 0 memory 0 send 0'
}

lab=$LAB
LAB=${lab}a
bring_up_all ''
upload "no wire" bodies "$SIZE" "$SIZE"
upload "no wire" slow $((16 * MB)) $((16 * MB))
take_down

# What comes in chunks is taken in order only, so that behind each lost segment a window is sent again.
LAB=${lab}b
bring_up_all "loss=1 seed=5"
upload "1 % loss" bodies "$SIZE" "$MB"
upload "1 % loss" slow $((4 * MB)) "$MB"
take_down

# Frames of up to 64 KB whose checksums are still to be made: what veth and virtio have by default.
LAB=${lab}c
bring_up_all "loss=1 seed=6 offload=1"
upload "offloads, 1 % of the frames lost" bodies "$SIZE" "$SIZE"
take_down
check "the wire dropped nothing but what it lost" "" "$(dropped_frames)"
gso=$(gso_frames)
if ((${gso:-0} > 100)); then
	ok "both directions had frames of many segments (at least $gso)"
else
	failed "both directions had frames of many segments" "more than 100" "${gso:-none}"
fi
finish

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# misconfigured.sh: with a wrong configuration `run` exits 1, says in which line what is wrong, and
# has changed nothing, neither in the gateway's namespace nor in the backends'.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"
suite m

# wrong NAME SED-COMMAND WORDS [LINE]: a configuration changed so; the message has WORDS and the
# changed line, or its section's: what is found out in the kernel concerns a section.
wrong() {
	local status=0 line section
	sed -E "$2" "$work/good.ini" >"$work/gateway.ini"
	if cmp -s "$work/good.ini" "$work/gateway.ini"; then
		failed "$1" "a changed configuration" "the same"
		return
	fi
	line=$(diff "$work/good.ini" "$work/gateway.ini" | grep -oE '^[0-9,]+[acd][0-9]+' | head -n 1)
	line=${4:-${line##*[acd]}}
	section=$(head -n "$line" "$work/gateway.ini" | grep -n '^\[' | tail -n 1)
	section=${section%%:*}
	timeout -k 2 20 nsenter --net="/run/netns/$LAB-gw" -- "$SLUICE" run -c "$work/gateway.ini" \
		</dev/null >"$work/run.log" 2>&1 || status=$?
	check "$1: exit status" 1 "$status"
	if grep -qE "gateway\.ini:($line|$section): .*($3)" "$work/run.log"; then
		ok "$1: the message"
	else
		failed "$1: the message" "gateway.ini:$line: ... $3" "$(tail -n 2 "$work/run.log")"
	fi
	snapshot >"$work/after"
	check "$1: nothing has changed" "" "$(diff "$work/before" "$work/after" | head -n 5)"
	check "$1: no files are left" "" "$(left_files)"
}

# left_files: of this lab's gateway: instances are named after the cookie of its netns.
left_files() {
	find /sys/fs/bpf/sluice /run/sluice -name "n$cookie-*" 2>/dev/null
}

# netns_cookie: SO_NETNS_COOKIE, include/uapi/asm-generic/socket.h
netns_cookie() {
	in_ns gw python3 -c 'import socket, struct
print(struct.unpack("Q", socket.socket().getsockopt(socket.SOL_SOCKET, 71, 8))[0])'
}

conf_standard >"$work/good.ini"
printf '[component missing]\npath = /missing\nfile = components/1\n' >>"$work/good.ini"
bring_up --no-gateway
snapshot >"$work/before"
cookie=$(netns_cookie)

wrong "an uplink that does not exist" 's/^uplink = .*/uplink = nope0/' 'nope0'
wrong "a netns that does not exist" "s/^netns = $LAB-node2/netns = $LAB-node9/" "$LAB-node9"
wrong "a backend's interface that does not exist" '0,/^interface = eth0/s//interface = eth7/' 'eth7'
wrong "a file that does not exist" 's|^file = components/1$|file = components/nope|' \
	'components/nope'
wrong "a directory as file" 's|^file = components/1$|file = components|' 'components'
wrong "an unknown key" 's/^flows = .*/flaws = 5/' 'flaws'
wrong "an unknown section" 's/^\[route a\]/[rote a]/' 'rote'
wrong "a dangling backend" 's/^backends = node1, node2/backends = node1, node7/' 'node7'
wrong "a dangling pool" '/^\[route a\]/,/^$/s/^pool = .*/pool = nope/' 'nope'
wrong "a VIP without port" 's/^vip = .*/vip = 10.80.9.9/' '10\.80\.9\.9'
wrong "a path twice" 's|^path = /missing|path = /c/1|' '/c/1'
wrong "two things wrong, both are told" 's/^flows = .*/flows = many/;s/^uplink = .*/uplink = /' 'flows' 5
if grep -q 'uplink' "$work/run.log"; then ok "the other of the two"; else
	failed "the other of the two" "a message about uplink" "$(cat "$work/run.log")"
fi

# A backend that nothing can be steered to: no route to its address.
wrong "a backend's address that is not on its interface" \
	's/^address = 10.80.2.2:3000,.*/address = 10.99.2.2:3000/' '10\.99\.2\.2|node2'

cp "$work/good.ini" "$work/gateway.ini"
if start_gateway run; then ok "the right configuration is served"; else
	failed "the right configuration is served" ready "$(tail -n 3 "$work/run.log")"
fi
if [[ -n $(left_files) ]]; then ok "its files are found"; else
	failed "its files are found" "n$cookie-..." none
fi
finish

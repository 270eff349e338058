#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Rules, tables, addresses and tcx links of the control plane, in network namespaces of its own:
# made, left alone by a second run, repaired, taken away; what belongs to others is not touched.
# Needs root. Prints "ok - NAME" or "not ok - NAME" with actual and expected; exits 1 on failure.
set -u
cd "$(dirname "$0")/../.." || exit 2

out=build/tests
driver=$out/routes_driver
prefix=slr$$
gw=$prefix-gw node=$prefix-node
work=$(mktemp -d /tmp/$prefix.XXXXXX)
bpffs=$work/bpf
holder=
monitor=
failed=0

cleanup() {
	[ -n "$monitor" ] && kill "$monitor" 2>/dev/null
	[ -n "$holder" ] && kill "$holder" 2>/dev/null
	ip netns del "$gw" 2>/dev/null
	ip netns del "$node" 2>/dev/null
	mountpoint -q "$bpffs" && umount "$bpffs"
	rm -rf "$work"
}
trap cleanup EXIT

# check NAME ACTUAL EXPECTED
check() {
	if [ "$2" = "$3" ]; then
		echo "ok - $1"
		return
	fi
	echo "not ok - $1"
	printf '  actual:\n%s\n  expected:\n%s\n' "$2" "$3" | sed 's/^\([^ ]\)/    \1/'
	failed=1
}

in_gw() { nsenter --net=/run/netns/$gw "$@"; }
drive() { in_gw "$driver" "$@" 2>"$work/log"; }

# Rules and routes of both families, without white space at the end of lines.
rules() { { ip -n $gw rule show; ip -n $gw -6 rule show; } | sed 's/[ \t]*$//' | grep -v 'lookup \(local\|main\|default\)'; }
table() { { ip -n $gw route show table "$1"; ip -n $gw -6 route show table "$1"; } 2>/dev/null | sed 's/[ \t]*$//'; }

build() {
	mkdir -p $out
	# shellcheck disable=SC2046
	${CC:-cc} -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -g -O1 -Icontrol \
		$(pkg-config --cflags libnl-route-3.0 libbpf) -o "$driver.$$" \
		tests/netns/routes_driver.c control/netns.c control/attach.c control/log.c \
		control/routes.c control/routes_link.c control/routes_rule.c control/routes_table.c \
		$(pkg-config --libs libnl-route-3.0 libbpf) && mv "$driver.$$" "$driver"
}

# wire: n1 of the gateway to eth0 of the node, addresses on both.
wire() {
	ip -n $gw link add n1 type veth peer name eth0 netns $node || return 1
	ip -n $gw link set n1 up && ip -n $node link set eth0 up || return 1
	ip -n $gw addr add 10.80.1.1/24 dev n1 && ip -n $gw addr add fd80:1::1/64 dev n1 nodad &&
		ip -n $node addr add 10.80.1.2/24 dev eth0 &&
		ip -n $node addr add fd80:1::2/64 dev eth0 nodad
}

set_up() {
	ip netns add $gw && ip netns add $node || return 1
	ip -n $gw link set lo up && ip -n $node link set lo up || return 1
	wire || return 1
	mkdir "$bpffs" && mount -t bpf bpf "$bpffs"
}

mask=0xff000000
direct4=0x5c000000,$mask,5200,5200,10.80.1.2,n1
direct6=0x5c000000,$mask,5200,5200,fd80:1::2,n1
via4=0x5d000000,$mask,5201,5201,10.90.0.2,n1,10.80.1.2
via6=0x5d000000,$mask,5201,5201,fd90::2,n1,fd80:1::2
read -ra all <<<"$direct4 $direct6 $via4 $via6"

want_rules="5200:	from all fwmark 0x5c000000/0xff000000 lookup 5200 proto 92
5201:	from all fwmark 0x5d000000/0xff000000 lookup 5201 proto 92
5200:	from all fwmark 0x5c000000/0xff000000 lookup 5200 proto 92
5201:	from all fwmark 0x5d000000/0xff000000 lookup 5201 proto 92"
want_direct="10.80.1.2 dev n1 proto 92 scope link
fd80:1::2 dev n1 proto 92 metric 1024 pref medium"
want_via="10.90.0.2 via 10.80.1.2 dev n1 proto 92 onlink
fd90::2 via fd80:1::2 dev n1 proto 92 metric 1024 onlink pref medium"

# Waits until the monitor has reported a rule with that priority; 5 s at most.
await_event() {
	local end=$((SECONDS + 5))
	until grep -q "^$1:" "$work/events" || [ $SECONDS -ge $end ]; do read -rt 0.02 <> <(:); done
}

# changes COMMAND...: the rule and route events that it causes, framed by two foreign rules, so
# that nothing is waited for by time.
changes() {
	: >"$work/events"
	nsenter --net=/run/netns/$gw stdbuf -oL ip monitor rule route >>"$work/events" 2>/dev/null &
	monitor=$!
	local first=0
	# The monitor may not listen yet: repeat the first mark until it is seen.
	until grep -q '^30001:' "$work/events" || [ $first -ge 250 ]; do
		ip -n $gw rule del pref 30001 2>/dev/null
		ip -n $gw rule add pref 30001 fwmark 1 lookup 77
		read -rt 0.02 <> <(:)
		first=$((first + 1))
	done
	"$@" >/dev/null
	ip -n $gw rule add pref 30002 fwmark 1 lookup 77
	await_event 30002
	kill $monitor
	wait $monitor 2>/dev/null
	monitor=
	ip -n $gw rule del pref 30001
	ip -n $gw rule del pref 30002
	grep -v '3000[12]:' "$work/events" | sed 's/[ \t]*$//'
}

test_lookups() {
	check "link: kind, MTU and state" "$(drive link n1 | sed 's/mac=[^ ]*/mac/')" \
		"mtu=1500 mac ethernet veth up"
	check "link: lo is no Ethernet" "$(drive link lo)" "mtu=65536 mac=00:00:00:00:00:00 up"
	check "link: unknown name" "$(drive link nope)" "error: No such device"
	check "address: IPv4" "$(drive address n1 4)" "10.80.1.1"
	check "address: IPv6, not the link-local one" "$(drive address n1 6)" "fd80:1::1"
	check "address: none" "$(drive address lo 4)" "error: No such file or directory"
	check "lookup: on link" "$(drive lookup 10.80.1.2)" "dev n1 via ::"
	check "lookup: local" "$(drive lookup fd80:1::1)" "dev lo via :: local"
	check "lookup: no route" "$(drive lookup 10.99.0.1)" "error: Network is unreachable"
	ip -n $gw route add 10.90.0.0/24 via 10.80.1.2
	ip -n $gw route add 10.91.0.0/24 via inet6 fd80:1::2 dev n1
	check "lookup: gateway" "$(drive lookup 10.90.0.2)" "dev n1 via 10.80.1.2"
	check "lookup: IPv4 through an IPv6 gateway" "$(drive lookup 10.91.0.1)" "dev n1 via fd80:1::2"
}

test_sync() {
	check "sync: made" "$(drive sync 5200 64 "${all[@]}")" "synced 4"
	check "sync: rules of both families" "$(rules)" "$want_rules"
	check "sync: on-link host routes" "$(table 5200)" "$want_direct"
	check "sync: host routes through a gateway" "$(table 5201)" "$want_via"
	check "sync: a marked packet takes the table" \
		"$(ip -n $gw route get 10.90.0.2 mark 0x5d000001 | grep -o 'table [0-9]*')" "table 5201"
	check "lookup: not confused by our rules" "$(drive lookup 10.80.1.2)" "dev n1 via ::"
	check "sync: a second run changes nothing" "$(changes drive sync 5200 64 "${all[@]}")" ""
	check "sync: the monitor of that check does see changes" \
		"$(changes drive sync 5200 64 $direct4 $direct6 $via4 | grep -c '^Deleted')" "2"
	check "sync: one family of a backend removed" "$(table 5201)" "${want_via%%$'\n'*}"
	check "sync: next hop changed in place" \
		"$(changes drive sync 5200 64 $direct4,10.80.1.7 $direct6 $via4)" \
		"10.80.1.2 via 10.80.1.7 dev n1 table 5200 proto 92 onlink"
	drive sync 5200 64 "${all[@]}" >/dev/null
	check "sync: all as at first" "$(rules; table 5200; table 5201)" \
		"$want_rules"$'\n'"$want_direct"$'\n'"$want_via"
}

test_foreign() {
	local foreign="5200:	from all fwmark 0x1 lookup 99
5250:	from all fwmark 0x2 lookup 5200 proto static
9000:	from all fwmark 0x5c000000/0xff000000 lookup 5200 proto 92"

	ip -n $gw rule add pref 5200 fwmark 1 lookup 99
	ip -n $gw rule add pref 5250 fwmark 2 lookup 5200 protocol static
	ip -n $gw rule add pref 9000 fwmark 0x5c000000/$mask lookup 5200 protocol 92
	ip -n $gw route add 10.70.0.0/24 via 10.80.1.2 table 5200
	drive sync 5200 64 "${all[@]}" >/dev/null
	check "foreign: a route in our table stays" "$(ip -n $gw route show table 5200 10.70.0.0/24)" \
		"10.70.0.0/24 via 10.80.1.2 dev n1 "
	drive sync 5200 64 >/dev/null
	check "removed: our rules, not those of others or outside the range" "$(rules)" "$foreign"
	check "removed: our routes, not those of others" "$(table 5200; table 5201)" \
		"10.70.0.0/24 via 10.80.1.2 dev n1"
	ip -n $gw route add 10.80.1.2/32 via 10.80.1.9 table 5200
	check "foreign: a route in our way is an error" "$(drive sync 5200 64 $direct4)" \
		"error: File exists"
	check "foreign: and it is said which" "$(cat "$work/log")" "error: table 5200 has a route \
to 10.80.1.2 that is not ours: delete it, or choose another \`table\`"
	check "foreign: it stays" "$(ip -n $gw route show table 5200 10.80.1.2)" \
		"10.80.1.2 via 10.80.1.9 dev n1 "
	ip -n $gw route flush table 5200
	for pref in 5250 9000 5200 5200; do ip -n $gw rule del pref $pref 2>/dev/null; done
	drive sync 5200 64 $direct4 >/dev/null
	ip -n $gw rule del pref 5200
	drive sync 5200 64 >/dev/null
	check "removed: a table whose rule somebody has flushed" "$(rules; table 5200)" ""
}

test_device_gone() {
	drive sync 5200 64 "${all[@]}" >/dev/null
	ip -n $gw link del n1
	check "device gone: the kernel took the routes" "$(table 5200; table 5201)" ""
	wire
	check "device back: repaired" "$(drive sync 5200 64 "${all[@]}"; rules; table 5200; table 5201)" \
		"synced 4"$'\n'"$want_rules"$'\n'"$want_direct"$'\n'"$want_via"
	check "no such device: error" "$(drive sync 5200 64 $direct4 ${via4/n1/n9})" \
		"error: No such device"
	drive sync 5200 64 >/dev/null
	check "removed: nothing is left" "$(rules; table 5200; table 5201)" ""
}

test_vips() {
	local vip
	for vip in 10.80.9.9 fd80:9::9; do
		check "VIP $vip: added" "$(drive add-vip $vip)" "added"
		check "VIP $vip: there already" "$(drive add-vip $vip)" "there"
		check "VIP $vip: on lo" "$(ip -n $gw -o addr show dev lo | grep -c " $vip/")" "1"
		check "VIP $vip: removed twice" "$(drive del-vip $vip && drive del-vip $vip)" ""
		check "VIP $vip: gone" "$(ip -n $gw -o addr show dev lo | grep -c " $vip/")" "0"
	done
	check "VIP of the host itself: left alone" "$(drive add-vip 10.80.1.1)" "there"
}

test_netns() {
	local own node_cookie
	own=$("$driver" cookie own) node_cookie=$("$driver" cookie $node)
	check "netns: two cookies" "$([ "$own" != "$node_cookie" ] && echo differ)" "differ"
	nsenter --net=/run/netns/$node sleep 600 &
	holder=$!
	local end=$((SECONDS + 5))
	until [ "$(readlink /proc/$holder/exe)" = "$(readlink -f "$(command -v sleep)")" ] ||
		[ $SECONDS -ge $end ]; do read -rt 0.02 <> <(:); done
	check "netns: by process" "$("$driver" cookie pid:$holder)" "$node_cookie"
	check "netns: unknown name" "$("$driver" cookie $prefix-nope)" "error: No such file or directory"
	check "netns: bad process" "$("$driver" cookie pid:1x)" "error: Invalid argument"
	check "netns: path instead of a name" "$("$driver" cookie ../$node)" "error: Invalid argument"
	touch "/run/netns/$prefix-dead"
	check "netns: name without namespace" "$("$driver" cookie $prefix-dead)" \
		"error: Invalid argument"
	rm "/run/netns/$prefix-dead"
}

# The process $holder keeps the first $node alive: its eth0 goes on with a live link.
test_attach() {
	local pin=$bpffs/link index

	check "attach: made" "$("$driver" attach $node eth0 ingress "$pin")" "made"
	check "attach: updated in place" "$("$driver" attach $node eth0 ingress "$pin")" "updated"
	check "attach: another hook is another link" "$("$driver" attach $node eth0 egress "$pin")" "made"
	check "attach: egress updated" "$("$driver" attach $node eth0 egress "$pin")" "updated"

	index=$(ip -n $node -o link show eth0 | cut -d: -f1)
	ip netns del $node
	ip netns add $node
	ip -n $node link add eth0 index "$index" type veth peer name peer0 index 50
	check "attach: a link of somebody else is there" \
		"$("$driver" attach $node eth0 egress "$bpffs/other")" "made"
	check "attach: same ifindex in a new netns while the old one lives" \
		"$("$driver" attach $node eth0 egress "$pin")" "made"
	check "attach: updated there" "$("$driver" attach $node eth0 egress "$pin")" "updated"

	ip netns del $node
	ip netns add $node
	ip -n $node link add eth0 index "$index" type veth peer name peer0 index 50
	check "attach: netns deleted and made again" \
		"$("$driver" attach $node eth0 egress "$pin")" "made"
	ip -n $node link del eth0
	check "attach: device gone" "$("$driver" attach $node eth0 egress "$pin")" \
		"error: No such device"
	ip -n $node link add eth0 index "$index" type veth peer name peer0 index 50
	check "attach: device made again" "$("$driver" attach $node eth0 egress "$pin")" "made"
	check "attach: removed twice" "$("$driver" detach "$pin" && "$driver" detach "$pin")" ""
	check "attach: no pin is left" "$([ -e "$pin" ] && echo left)" ""
}

if ! build || ! set_up; then
	echo "not ok - control_routes: set-up failed"
	exit 1
fi
test_lookups
test_sync
test_foreign
test_device_gone
test_vips
test_netns
test_attach
exit $failed

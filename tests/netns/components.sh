#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# components.sh: what the kernel answers, refuses and hands over, and how connections end.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"
suite c

configuration() {
	conf_gateway ''
	conf_backends '' ''
	conf_pools 'policy = round-robin' # no default pool
	conf_components
	cat <<-'INI'
		[route private]
		path = /private/
		deny = 403

		[route old]
		path = = /old
		redirect = 301 /c/1

		[route moved]
		path = /moved/
		redirect = 308 https://shop.example/

		[component replaced]
		path = /replaced
		file = components/replaced.txt

		[component shop]
		host = shop.example
		path = /hosted
		file = components/shop.txt

		[component wild]
		host = *.wild.example
		path = /hosted
		file = components/wild.txt
	INI
}

body_of() {
	in_ns client curl -sS --max-time 20 "http://$VIP4$1" 2>&1
}

replaced_and_reloaded() {
	local size
	check "a component's bytes" "old bytes" "$(body_of /replaced)"
	for size in 3000 1 40000; do # smaller and larger ones, and one that needs another place
		component_file "$work/components/new" "$size" "new $size"
		mv "$work/components/new" "$work/components/replaced.txt"
		check_status "reload after its file became $size bytes" 0 sluice reload
		check "its $size new bytes" "$(md5sum <"$work/components/replaced.txt")" \
			"$(body_of /replaced | md5sum)"
	done
	rm "$work/components/replaced.txt"
	check_status "reload without the file fails" 1 sluice reload
	check "it goes on with the old bytes" "40000" "$(body_of /replaced | wc -c)"
}

# Clients that are not ours: curl's and Node's own handling of keep-alive.
other_clients() {
	local urls=()
	for _ in {1..50}; do
		urls+=(-o /dev/null "http://$VIP4/c/1024" -o /dev/null "http://[$VIP6]/c/14336")
	done
	check "curl: 100 requests on 2 connections" "2" \
		"$(in_ns client curl -sS --max-time 60 -w '%{num_connects}\n' "${urls[@]}" |
			awk '{ n += $1 } END { print n }')"
	checks_of "node: http.Agent" in_ns client node "$HERE/agent.mjs" "$work/components"
}

configuration >"$work/gateway.ini"
echo -n "old bytes" >"$work/components/replaced.txt"
echo shop >"$work/components/shop.txt"
echo wild >"$work/components/wild.txt"
bring_up --conf "$work/gateway.ini"
for group in answers ends handed_over cut; do
	checks_of "components.py $group" in_ns client python3 "$HERE/components.py" \
		"$work/components" "$group"
done
checks_of "malformed.py" in_ns client python3 "$HERE/malformed.py"
other_clients
replaced_and_reloaded
finish

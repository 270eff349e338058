#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# lifecycle.sh: the daemon is killed, restarted, reloaded and misconfigured under load; `unload`
# leaves nothing behind; the flow table overflows. SLUICE_LONG=1: 20 s of load instead of 8.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"
suite d

CONNECTIONS=256

# code_of PATH: status and server of one request on a fresh connection.
code_of() {
	in_ns client curl -sS --max-time 20 -o /dev/null \
		-w '%{http_code} %header{server}%header{x-backend}' "http://$VIP4$1" 2>&1
}

# --- load -----------------------------------------------------------------------------------------

start_load() {
	: >"$work/load.log"
	spawn "$work/load.log" client node "$HERE/load.mjs" "$work/components" "$CONNECTIONS"
	load_pid=$spawned
	load_start=$SECONDS
	wait_until 60 grep -qx running "$work/load.log" || failed "load" "answers on all connections" "none"
}

# shellcheck disable=SC2317 # called by wait_until
load_has_lasted() {
	((SECONDS - load_start >= $1))
}

# end_load NAME: judges the load, which has run for 8 s (20 s) at least.
end_load() {
	local word requests fresh errors first
	wait_until 60 load_has_lasted "$((${SLUICE_LONG:+12} + 8))"
	kill -TERM "$load_pid"
	wait_until 60 grep -q '^requests' "$work/load.log"
	read -r word requests word fresh word errors first < <(grep '^requests' "$work/load.log")
	check "$1: errors of ${requests:-0} requests${word:+}" "0 " "${errors:-} $first"
	check "$1: connections opened" "$CONNECTIONS" "${fresh:-}"
}

# shellcheck disable=SC2317
daemon_is_gone() {
	! kill -0 "$1" 2>/dev/null
}

# --- scenarios ------------------------------------------------------------------------------------

configuration() {
	conf_standard
	printf '[component later]\npath = /later\nfile = components/later.txt\n\n'
}

killed_and_restarted() {
	local killed=$gateway_pid
	start_load
	kill -KILL "$killed"
	wait_until 10 daemon_is_gone "$killed"
	check "daemon killed: hits" "200 sluice" "$(code_of /c/1024)"
	check "daemon killed: misses" "200 node1" "$(code_of /a/bytes/10)"
	if start_gateway again; then ok "a new daemon is ready"; else
		failed "a new daemon is ready" ready "$(tail -n 3 "$work/again.log")"
	fi
	end_load "kill -9 and restart under load"
}

reloaded() {
	start_load
	for _ in 1 2 3; do
		check_status "reload of the same configuration" 0 sluice reload
	done
	echo later >"$work/components/later.txt"
	configuration >"$work/gateway.ini"
	check_status "reload that adds a component" 0 sluice reload
	check "the new component" "200 sluice" "$(code_of /later)"
	printf '[route new]\npath = /new/\npool = b\n' >>"$work/gateway.ini"
	check_status "reload that adds a route" 0 sluice reload
	check "the new route" "200 node2" "$(code_of /new/bytes/10)"
	conf_standard >"$work/gateway.ini"
	check_status "reload that takes both away" 0 sluice reload
	check "the component is gone" "404 node" "$(code_of /later | tr -d 12)"
	kill -HUP "$gateway_pid"
	check_status "reload after SIGHUP" 0 sluice reload
	broken_reload
	end_load "reloads under load"
}

broken_reload() {
	sed 's/^flows = .*/&\nflovs = 12/' "$work/gateway.ini" >"$work/broken.ini"
	cp "$work/gateway.ini" "$work/good.ini"
	cp "$work/broken.ini" "$work/gateway.ini"
	check_status "reload of a broken configuration" 1 sluice reload
	if grep -qE "gateway\.ini:[0-9]+: .*flovs" "$work/out"; then ok "it says where and what"; else
		failed "it says where and what" "FILE:LINE: ... flovs" "$(head -n 2 "$work/out")"
	fi
	check "the old configuration goes on: hits" "200 sluice" "$(code_of /c/1024)"
	check "the old configuration goes on: misses" "200 node2" "$(code_of /b/bytes/10)"
	cp "$work/good.ini" "$work/gateway.ini"
	check_status "reload of the mended one" 0 sluice reload
}

second_daemon() {
	check_status "a second daemon for the same file is refused" 1 \
		timeout 20 nsenter --net="/run/netns/$LAB-gw" -- "$SLUICE" run -c "$work/gateway.ini"
	check "the first one goes on" "200 sluice" "$(code_of /c/1024)"
}

terminated() {
	local pid=$gateway_pid
	start_load
	kill -TERM "$pid"
	wait_until 20 daemon_is_gone "$pid"
	check "SIGTERM ends the daemon" "" "$(ps -o stat= -p "$pid")"
	check "status tells that it is not running" "daemon: not running; what is loaded serves without it" \
		"$(sluice status 2>&1 | head -n 1)"
	check_status "reload without a daemon fails" 1 sluice reload
	end_load "SIGTERM under load"
}

# --- unload ---------------------------------------------------------------------------------------

# shellcheck disable=SC2317 # called by wait_until
is_unloaded() {
	local object
	for object in "${objects[@]}"; do
		# shellcheck disable=SC2086 # a kind and an id
		! bpftool ${object/:/ show id } >/dev/null 2>&1 || return 1
	done
}

# ids_of DIRECTORY: what is pinned below it, as KIND:ID.
ids_of() {
	local kind path
	find "$1" -type f -o -type l 2>/dev/null | while read -r path; do
		for kind in map prog link; do
			bpftool -j "$kind" show pinned "$path" 2>/dev/null |
				python3 -c 'import json, sys; print(sys.argv[1] + ":" + str(json.load(sys.stdin)["id"]))' \
					"$kind" 2>/dev/null && break
		done
	done
}

unloaded() {
	local before=$1 instance name=$2
	instance=$(sluice status --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["instance"])')
	mapfile -t objects < <(ids_of "/sys/fs/bpf/sluice/$instance"; ids_of "/run/sluice/bpf/sluice/$instance")
	if ((${#objects[@]} > 10)); then ok "$name: ${#objects[@]} objects are pinned"; else
		failed "$name: pinned objects" "more than 10" "${objects[*]}"
	fi
	check_status "$name: unload" 0 sluice unload
	snapshot >"$work/after"
	check "$name: rules, routes, addresses, sysctls, programs are as before" "" \
		"$(diff "$before" "$work/after")"
	check "$name: files" "" "$(find /sys/fs/bpf/sluice /run/sluice -name "$instance*" 2>/dev/null)"
	if wait_until 20 is_unloaded; then ok "$name: maps, programs and links are gone"; else
		failed "$name: maps, programs and links are gone" none "${objects[*]}"
	fi
	check_status "$name: a second unload finds nothing to do" 0 sluice unload
}

conf_standard >"$work/gateway.ini"
bring_up --no-gateway
snapshot >"$work/before"
bring_up_gateway
second_daemon
killed_and_restarted
reloaded
terminated
unloaded "$work/before" "unload without a daemon"
bring_up_gateway
check "again: hits" "200 sluice" "$(code_of /c/1024)"
kill -TERM "$gateway_pid"
wait_until 20 daemon_is_gone "$gateway_pid"
unloaded "$work/before" "unload of a fresh one"
finish

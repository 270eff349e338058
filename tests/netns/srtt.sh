#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# srtt.sh: a wire with an RTT of 100 ms that loses nothing, and a component of 64 KB again and again
# on one connection. The client repeats nothing, and it knows the RTT as well as behind nginx, which
# stands in the gateway's netns behind the same wire: else its own timers fire too late or too early.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=../../netns-lab/bench/nginx.sh
. "$ROOT/netns-lab/bench/nginx.sh"
suite r

FETCH=$ROOT/build/fetch
RTT_MS=100
REQUESTS=20
LIMIT=1.3 # our SRTT over nginx's, medians of what holds after each answer

nginx_listens() {
	[[ -n $(in_ns gw ss -Htln sport = :8080) ]]
}

start_nginx() {
	launch_nginx spawn "$work/nginx.log" gw <<-EOF
		server {
			listen 10.80.0.1:8080;
			listen [fd80::1]:8080;
			location /c/ { alias $work/components/; }
		}
	EOF
	wait_until 10 nginx_listens && return
	failed "nginx" "a listener" "$(tail -n 3 "$work/nginx.log")"
	finish
}

# fetch NAME ADDRESS PORT: the result is $work/NAME.json.
fetch() {
	in_ns client ip tcp_metrics flush all >/dev/null
	in_ns gw ip tcp_metrics flush all >/dev/null
	in_ns client "$FETCH" -c 1 -n "$REQUESTS" -t 60 "$2" "$3" /c/65536 \
		"$work/components/65536" >"$work/$1.json"
	echo "# $1: $(cat "$work/$1.json")"
}

# field NAME KEY: of the result.
field() {
	jq -r ".$2" "$work/$1.json"
}

# compare FAMILY VIP GATEWAY
compare() {
	local ours theirs
	fetch "sluice-$1" "$2" 80
	fetch "nginx-$1" "$3" 8080
	check "64 KB $REQUESTS times, every byte right, $1" "$REQUESTS 0 0 0" \
		"$(jq -r '"\(.answers) \(.wrong) \(.failed) \(.unfinished)"' "$work/sluice-$1.json")"
	check "the client repeats no segment, $1" 0 "$(field "sluice-$1" retrans)"
	ours=$(field "sluice-$1" rtt_p50_ms)
	theirs=$(field "nginx-$1" rtt_p50_ms)
	if jq -en "$theirs >= $RTT_MS and $ours <= $LIMIT * $theirs" >/dev/null; then
		ok "the client's SRTT is $ours ms, with nginx $theirs ms, $1"
	else
		failed "the client's SRTT, $1" "at most $LIMIT x the $theirs ms with nginx" "$ours ms"
	fi
}

conf_standard >"$work/gateway.ini"
[[ -x $FETCH ]] || {
	failed "build/fetch" "built by make tests" "missing"
	finish
}
bring_up --conf "$work/gateway.ini" --wire "delay=$((RTT_MS / 2)) seed=1"
start_nginx
compare v4 "$VIP4" 10.80.0.1
compare v6 "$VIP6" fd80::1
finish

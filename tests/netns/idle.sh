#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# idle.sh: Node closes connections that were idle for keepAliveTimeout, and clients send a GET in that
# very moment: none may fail, with an idle event loop and with a busy one; beside nginx, which does
# the same with keepalive connections to the same Node. SLUICE_IDLE=long: 10,000 GETs.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"
suite i

NODE_IP=10.80.1.2
NGINX_IP=10.80.0.1
NGINX_PORT=8080
KEEPALIVE_MS=1000
SPREAD_MS=5
case ${SLUICE_IDLE:-short} in
long) CONNECTIONS=250 ROUNDS=20 ;;
*) CONNECTIONS=120 ROUNDS=2 ;;
esac

configuration() {
	conf_gateway ''
	conf_backends '' ''
	conf_pools 'default = yes'
}

# shellcheck source=../../netns-lab/bench/nginx.sh
. "$ROOT/netns-lab/bench/nginx.sh"
start_nginx() {
	launch_nginx spawn "$work/nginx.log" gw <<-CONF
		upstream node { server $NODE_IP:3000; keepalive 512; }
		server {
			listen $NGINX_IP:$NGINX_PORT;
			location / {
				proxy_pass http://node;
				proxy_http_version 1.1;
				proxy_set_header Connection "";
			}
		}
	CONF
	wait_until 10 nginx_answers || failed nginx "an answer" "$(tail -n 3 "$work/nginx-error.log")"
}

# replace_node [NODE-OPTIONS...]: node1 with a short keepAliveTimeout in place of the lab's.
replace_node() {
	if [[ -n ${node_pid:-} ]]; then
		kill -KILL "$node_pid"
		wait_until 10 node_is_gone node1
	else
		stop_node node1
	fi
	spawn "$work/node1.log" node1 env NAME=node1 HOST=:: PORT=3000 NODE_ENV=production \
		KEEPALIVE_MS="$KEEPALIVE_MS" node "$@" "$ROOT/netns-lab/app/server.mjs"
	node_pid=$spawned
	wait_until 20 node_answers node1
}

nginx_answers() {
	in_ns gw curl -sf --max-time 1 -o /dev/null "http://$NGINX_IP:$NGINX_PORT/healthz"
}

# gets NAME ADDRESS PORT [lenient]
gets() {
	checks_of "idle.py $1" in_ns client timeout 540 python3 "$HERE/idle.py" get \
		"$1" "$2" "$3" "$seconds" "$SPREAD_MS" "$CONNECTIONS" "$ROUNDS" "${@:4}"
}

# at_the_close NAME: both at the same time. (checks_of counts in this shell only for the gateway's.)
at_the_close() {
	local nginx
	seconds=$(in_ns gw python3 "$HERE/idle.py" close "$NODE_IP")
	echo "# $1: Node closes after $seconds s"
	gets "nginx, $1" "$NGINX_IP" "$NGINX_PORT" lenient >"$work/nginx.out" &
	nginx=$!
	gets "$1" "$VIP4" 80
	wait "$nginx"
	grep '^#' "$work/nginx.out"
}

bring_up --no-gateway
configuration >"$work/gateway.ini"
replace_node
bring_up_gateway
start_nginx
at_the_close "idle event loop"
replace_node -r "$HERE/blocked.cjs"
at_the_close "blocked event loop"
echo "# legs that Node closed: $(counter leg_closed), requests given again: $(counter replayed)"
finish

# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# peers.sh: what Sluice is compared with, for bench.sh, which sources it: two namespaces beside the
# lab, nginx, the reflector. Uses lib.sh.
# Entry points: build_networks, start_peer_nginx, start_reflector.
# shellcheck disable=SC2154 # what bench.sh sets

# For run.py.
export SLUICE_URL=http://10.80.9.9
export NGINX_URL=http://10.80.20.1:8081  # files below /c/, all else from node1
export CACHE_URL=http://10.80.20.1:8082  # all from node1, once
export NODE_URL=http://10.80.21.2:3000   # through a plain router
export FLOOR_URL=http://10.80.30.2

build_networks() {
	add_netns plain
	add_netns mirror
	link client plain0 10.80.20.2 plain c0 10.80.20.1
	link node1 plain0 10.80.21.2 plain n1 10.80.21.1
	link client mirror0 10.80.30.1 mirror m0 10.80.30.2
	in_netns plain sysctl -qw net.ipv4.ip_forward=1
	ip -n "$LAB-client" route add 10.80.21.0/24 via 10.80.20.1
	ip -n "$LAB-node1" route add 10.80.20.0/24 via 10.80.21.1
}

# reaches URL: from the client.
reaches() {
	in_netns client curl -s --max-time 1 -o /dev/null "$1"
}

start_peer_nginx() {
	start_nginx reaches "$NGINX_URL/c/1k" <<-EOF
		proxy_cache_path $work/nginx/cache keys_zone=cache:10m inactive=1h use_temp_path=off;
		proxy_http_version 1.1;
		proxy_set_header Connection "";
		upstream node1 {
			server ${NODE_URL#http://};
			keepalive 64;
			keepalive_requests 1000000000;
		}
		server {
			listen ${NGINX_URL#http://} reuseport;
			location /c/ { root $work/www; }
			location / { proxy_pass http://node1; }
		}
		server {
			listen ${CACHE_URL#http://} reuseport;
			location / {
				proxy_pass http://node1;
				proxy_cache cache;
				proxy_cache_valid 200 1h;
			}
		}
	EOF
}

# start_reflector: its answer is Sluice's own, byte for byte. Sets reflector_pid.
start_reflector() {
	in_netns client curl -sf --max-time 5 -i -o "$work/answer" "$SLUICE_URL/c/1k" ||
		die "Sluice does not answer $SLUICE_URL/c/1k"
	start reflector mirror "$work/reflector" m0 "$work/answer"
	# shellcheck disable=SC2034 # for bench.sh
	reflector_pid=${children[-1]}
	await reflector is_ready reflector
}

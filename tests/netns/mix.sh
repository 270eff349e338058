#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# mix.sh: connections that mix components, three pools, bodies of both framings, 100-continue, HEAD,
# 304, streams and a final WebSocket, by a seed; each response is what the right backend or component
# must give. Clients: a raw one that cuts its bytes at random, http.client, curl, Node's http.Agent,
# undici, h2load. SLUICE_MIX=long: thousands of requests; SLUICE_MIX_SEED: that seed.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"
suite x

SEED=${SLUICE_MIX_SEED:-$((RANDOM * 32768 + RANDOM))}
case ${SLUICE_MIX:-short} in
long) CONNECTIONS=500 AVERAGE=12 HUGE=0.03 CLIENT_CONNECTIONS=60 H2LOAD=20000 ;;
*) CONNECTIONS=75 AVERAGE=7 HUGE=0.02 CLIENT_CONNECTIONS=12 H2LOAD=800 ;;
esac

configuration() {
	conf_gateway ''
	conf_backends '' ''
	conf_pools 'default = yes'
	conf_local
	conf_components
}

# raw [pipeline]: the raw client.
raw() {
	checks_of "mix.py $*" in_ns client timeout 540 python3 "$HERE/mix.py" "$work/components" \
		"$SEED" "$CONNECTIONS" "$AVERAGE" "$HUGE" "$@"
}

clients() {
	mkdir -p "$work/clients"
	checks_of mix_clients.py in_ns client timeout 540 python3 "$HERE/mix_clients.py" \
		"$work/components" "$SEED" "$CLIENT_CONNECTIONS" "$AVERAGE" "$work/clients"
}

# h2load_mixed: -m 8 pipelines eight requests, of components and of two backends in turn.
h2load_mixed() {
	local name="h2load --h1 -m 8: $H2LOAD requests of components and backends" path
	for path in /c/1024 /a/bytes/3000 /c/1 /b/bytes/10 /c/1024 /l/chunks/2/0 /c/14336; do
		echo "http://$VIP4$path"
	done >"$work/urls"
	in_ns client timeout 120 h2load --h1 -n "$H2LOAD" -c 8 -m 8 -i "$work/urls" \
		>"$work/h2load.log" 2>&1
	check "$name" "$H2LOAD 2xx, 0 3xx, 0 4xx, 0 5xx" \
		"$(sed -n 's/^status codes: //p' "$work/h2load.log")"
	check "$name, failed or timed out" "0 failed 0 errored 0 timeout" \
		"$(sed -n 's/^requests:.* \([0-9]*\) failed, \([0-9]*\) errored, \([0-9]*\) timeout.*/\1 failed \2 errored \3 timeout/p' \
			"$work/h2load.log")"
}

echo "# seed $SEED"
bring_up --no-gateway
start_local 1
configuration >"$work/gateway.ini"
bring_up_gateway
raw
raw pipeline
clients
h2load_mixed
finish

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# routes.sh: routes by source and method, redirects with $uri, denials that are written in another
# way, warnings, and 20,000 routes, with real clients and Node. The client has two addresses of each
# family: 10.80.0.2 and .3, fd80::2 and ::3.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"
suite q

MANY=20000

# route NAME LINES
route() {
	printf '[route %s]\n%s\n\n' "$1" "$2"
}

conditional_routes() {
	route from-b "path = /who/
from = 10.80.0.3, fd80::3
pool = b"
	route post-b "path = /by/
method = POST, PUT
pool = b"
	route by-a "path = /by/
pool = a"
	route both "path = /by/both/
method = GET
from = 10.80.0.3
pool = b"
	route inner "path = /from/
from = 10.80.0.0/24, fd80::/64
pool = a"
	route inner-deny "path = /from/
from = 10.80.0.3/32
deny = 403"
	route over-component "path = = /c/1024
from = 10.80.0.3
method = GET
pool = b"
	route host-b "host = b.example
path = /
pool = b"
	route any-exact "path = = /c/one
pool = a"
}

other_routes() {
	route moved "path = /moved/
redirect = 301 https://shop.example\$uri"
	route moved-host "host = old.example
path = /
redirect = 308 http://new.example\$uri"
	route internal "path = /internal/
deny = 403"
	route secret "path = = /secret
deny = 404"
	route open "path = /internal/open/
pool = a"
	route admin "host = shop.example
path = /admin/
deny = 403"
	route forms "path = /forms/
method = POST
deny = 403"
}

configuration() {
	conf_gateway ''
	conf_backends '' ''
	conf_pools ''
	conf_components
	conditional_routes
	other_routes
}

routes() {
	checks_of "routes.py $*" in_ns client python3 "$HERE/routes.py" "$work/components" "$@"
}

# many: routes that nobody asks for, of all kinds.
many() {
	awk -v n="$MANY" 'BEGIN {
		split("pool = a|deny = 403|redirect = 302 /new|method = GET\npool = b", kinds, "|")
		for (i = 0; i < n; i++)
			printf "[route many%d]\npath = %s/many/%d/x%d\n%s\n\n", i, i % 2 ? "= " : "", i % 50, i,
				kinds[int(i / 2) % 4 + 1]
	}'
}

warnings() {
	route wide "path = /hidden/
from = 10.0.0.0/8
pool = a"
	route halves "path = /hidden/
from = 10.0.0.0/9, 10.128.0.0/9
pool = b"
}

configuration >"$work/gateway.ini"
bring_up --no-gateway
ip -n "$LAB-client" addr add 10.80.0.3/24 dev eth0
ip -n "$LAB-client" addr add fd80::3/64 dev eth0 nodad
check_status "the configuration is right" 0 sluice check
bring_up_gateway

routes conditions
routes redirects
routes denials
routes clients

{
	configuration
	warnings
} >"$work/gateway.ini"
check_status "check with a warning" 0 sluice check
check "names the route, and what hides it" 1 "$(grep -c \
	'gateway.ini:[0-9]*: warning: \[route wide\] never answers: \[route halves\] (.*gateway.ini:[0-9]*)' \
	"$work/out")"

{
	configuration
	many
} >"$work/gateway.ini"
check_status "reload with $MANY more routes" 0 sluice reload
routes conditions
routes denials
configuration >"$work/gateway.ini"
check_status "and back" 0 sluice reload
routes conditions
kill -KILL "$gateway_pid"
routes conditions
finish

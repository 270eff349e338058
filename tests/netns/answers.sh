#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# answers.sh: header fields, conditions and codings of components, as curl sees them.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"
suite a

PAGE=http://$VIP4/page

configuration() {
	conf_gateway ''
	conf_backends '' ''
	conf_pools 'default = yes'
	mkdir -p "$work/components"
	cat <<-'INI'
		[component page]
		path = /page
		file = components/page.html
		cache-control = public, max-age=60
		header = X-Frame-Options: DENY
		         Permissions-Policy: camera=(), microphone=()

		[component noise]
		path = /noise
		file = components/noise.png
	INI
}

fetch() {
	in_ns client curl -sS --max-time 20 "$@"
}

# field NAME CURL-ARGUMENT...: the value of one header field of the answer; body in $work/body.
field() {
	fetch -D "$work/head" -o "$work/body" "${@:2}"
	sed -n "s/^$1: \(.*\)\r\$/\1/p" "$work/head"
}

status() {
	fetch -o "$work/body" -w '%{http_code} %{size_download}' "$@"
}

sum() {
	sha256sum <"$1"
}

# Within a second of this machine's own time.
check_date() {
	local before after date
	before=$(date +%s)
	date=$(date -d "$(field date "${@:2}")" +%s)
	after=$(date +%s)
	check "$1" yes "$([[ $date -ge $before && $date -le $after ]] && echo yes ||
		echo "$before <= $date <= $after")"
}

fields() {
	check "server" sluice "$(field server "$PAGE")"
	check "the page" "$(sum "$work/components/page.html")" "$(sum "$work/body")"
}

conditions() {
	local etag modified
	etag=$(field etag "$PAGE")
	modified=$(field last-modified "$PAGE")
	check "last-modified" "Sun, 06 Nov 1994 08:49:37 GMT" "$modified"
	check "If-None-Match" "304 0" "$(status -H "If-None-Match: \"x\", W/$etag" "$PAGE")"
	check "another tag" "200 12000" "$(status -H 'If-None-Match: "x"' "$PAGE")"
	check "If-Modified-Since (curl -z)" "304 0" "$(status -z "$modified" "$PAGE")"
	check "... of a time before" "200 12000" \
		"$(status -z 'Sun, 06 Nov 1994 08:49:36 GMT' "$PAGE")"
	check "a 304 has the tag" "$etag" "$(field etag -H "If-None-Match: $etag" "$PAGE")"
	check "... caching" "public, max-age=60" \
		"$(field cache-control -H "If-None-Match: $etag" "$PAGE")"
	check "... Vary" "accept-encoding" "$(field vary -H "If-None-Match: $etag" "$PAGE")"
	check "... and no length" "" "$(field content-length -H "If-None-Match: $etag" "$PAGE")"
	check_date "... Date" -H "If-None-Match: $etag" "$PAGE"
	check "If-Match goes to Node" node1 \
		"$(field x-backend -H "If-Match: $etag" "$PAGE" | sed 's/node2/node1/')"
}

codings() {
	local coding plain
	plain=$(field etag "$PAGE")
	for coding in gzip br; do
		check "content-encoding: $coding" $coding \
			"$(field content-encoding -H "Accept-Encoding: $coding" "$PAGE")"
		check "$coding has a tag of its own" yes \
			"$([[ $(field etag -H "Accept-Encoding: $coding" "$PAGE") != "$plain" ]] &&
				echo yes)"
		check "$coding is a tenth of it" yes \
			"$([[ $(stat -c %s "$work/body") -lt 1200 ]] && echo yes)"
		fetch --compressed -H "Accept-Encoding: $coding" -o "$work/body" "$PAGE"
		check "$coding, decoded" "$(sum "$work/components/page.html")" "$(sum "$work/body")"
	done
	check "curl --compressed" "$(sum "$work/components/page.html")" \
		"$(fetch --compressed "$PAGE" | sha256sum)"
	check "HEAD says the coded length" yes \
		"$([[ $(field content-length -I -H "Accept-Encoding: br" "$PAGE") -lt 1200 ]] && echo yes)"
	check "nothing acceptable goes to Node" node1 \
		"$(field x-backend -H "Accept-Encoding: identity;q=0, zstd" "$PAGE" |
			sed 's/node2/node1/')"
	check "what does not get smaller has no variants" "" \
		"$(field content-encoding -H "Accept-Encoding: gzip, br" "http://$VIP4/noise")"
	check "... and no Vary" "" "$(field vary "http://$VIP4/noise")"
}

more_fields() {
	check "a field of the configuration" DENY "$(field X-Frame-Options "$PAGE")"
	check "... with commas" "camera=(), microphone=()" "$(field Permissions-Policy "$PAGE")"
}

# A reload with the same bytes makes no new objects: what is stored is found.
reloaded() {
	local before after
	before=$(sluice status --json | jq -c '.components // .objects // empty | length')
	check_status "reload" 0 sluice reload
	after=$(sluice status --json | jq -c '.components // .objects // empty | length')
	check "as many objects as before" "$before" "$after"
	check "br after it" br "$(field content-encoding -H "Accept-Encoding: br" "$PAGE")"
	touch -d '2001-02-03 04:05:06 UTC' "$work/components/page.html"
	check_status "reload of a file that was touched" 0 sluice reload
	check "its new time" "Sat, 03 Feb 2001 04:05:06 GMT" "$(field last-modified "$PAGE")"
}

is_later_than() {
	(($(date +%s) > $1))
}

without_daemon() {
	local second
	kill -KILL "$gateway_pid"
	second=$(date +%s)
	wait_until 5 is_later_than "$second"
	check_date "Date without the daemon" "$PAGE"
}

configuration >"$work/gateway.ini"
for _ in {1..300}; do echo -n "<p>forty bytes of a page that repeat</p>"; done >"$work/components/page.html"
touch -d '1994-11-06 08:49:37 UTC' "$work/components/page.html"
component_file "$work/components/noise.png" 3000 noise
bring_up --no-gateway
bring_up_gateway
fields
check_date "Date" "$PAGE"
check_date "Date of an error" -H "Host: a b" "$PAGE"
conditions
codings
more_fields
reloaded
without_daemon
finish

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# metrics.sh: what Prometheus gets, and what `metrics` in the file does at start and at a reload.
# Scrapes come from inside the gateway's network namespace.

. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"
suite m

HEALTH="health = GET /healthz interval=200ms timeout=200ms fall=2 rise=1"

# configuration METRICS [ADDRESS]: listens there ('': nowhere); ADDRESS is that of node2.
configuration() {
	conf_gateway "flows = 16384${1:+
metrics = $1}"
	conf_backends "$HEALTH" "$HEALTH" |
		sed "s|^\(address =\) 10.80.2.2:3000.*|\1 ${2:-10.80.2.2:3000, [fd80:2::2]:3000}|"
	conf_pools ''
	conf_components
}

# line_of_gateway: where the file's complaints about `metrics` point to.
line_of_gateway() {
	grep -n '^\[gateway\]' "$work/gateway.ini" | cut -d: -f1
}

scrape() {
	in_ns gw curl -sS --max-time 5 http://127.0.0.1:9464/metrics 2>&1
}

# code_of METHOD PATH [ADDRESS [OPTIONS OF CURL]]
code_of() {
	in_ns gw curl -s --max-time 5 -o /dev/null -w '%{http_code}' -X "$1" "${@:4}" \
		"http://${3:-127.0.0.1:9464}$2"
}

# head_of ADDRESS: a request with HEAD must not wait for a body.
head_of() {
	in_ns gw curl -sI --max-time 5 "http://$1/metrics" | tr -d '\r' |
		awk 'NR == 1 { status = $2 } tolower($1) == "content-type:" { $1 = ""; type = $0 }
			END { print status type }'
}

# gauge SERIES: its value in a scrape.
gauge() {
	scrape | awk -v name="$1" '$1 == name { print $2 }'
}

gauge_is() {
	[[ $(gauge "$1") == "$2" ]]
}

# take_port ADDRESS PORT: a process of ours listens there in the gateway's namespace; pid in $taker.
take_port() {
	spawn "$work/taker.log" gw python3 -c 'import signal, socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((sys.argv[1], int(sys.argv[2])))
s.listen()
signal.pause()' "$1" "$2"
	taker=$spawned
	wait_until 10 is_taken "$1:$2" ||
		failed "a port for the test" "a listener" "$(<"$work/taker.log")"
}

is_taken() {
	[[ -n $(in_ns gw ss -Htln "src $1") ]]
}

free_port() {
	kill "$taker"
	wait_until 10 is_free "$1"
}

is_free() {
	! is_taken "$1"
}

# compare: the form of a scrape, and its values beside those of `status --json`.
compare() {
	local version
	scrape >"$work/scrape"
	sluice status --json >"$work/status.json"
	version=$("$SLUICE" version)
	python3 - "$work/scrape" "$work/status.json" "${version#sluice }" <<-'PY'
		import json, re, sys

		text, status = open(sys.argv[1]).read(), json.load(open(sys.argv[2]))
		assert text.endswith("\n"), "no line end after the last line"
		sample = re.compile(r'([a-z0-9_]+(?:\{[a-z]+="[^"\\]*"\})?) (\d+)')
		types, helps, samples = {}, {}, {}
		for line in text.splitlines():
		    if line.startswith("# HELP "):
		        _, _, name, helps[name] = line.split(" ", 3)
		    elif line.startswith("# TYPE "):
		        _, _, name, types[name] = line.split(" ")
		    else:
		        series, value = sample.fullmatch(line).groups()
		        assert series.split("{")[0] == name, f"{series} is not below its TYPE"
		        assert series not in samples, f"{series} is given twice"
		        samples[series] = int(value)
		assert set(types) == set(helps) == {series.split("{")[0] for series in samples}
		assert all(helps.values()), "a HELP is empty"

		want = {f"sluice_{name}_total": n for name, n in status["counters"].items()}
		assert len(want) > 30 and all(types[name] == "counter" for name in want)
		flows, legs = status["flows"], status["legs"]
		for state in ("open", "closing", "closed"):
		    want['sluice_flows{state="%s"}' % state] = flows[state]
		want["sluice_flow_capacity"] = flows["capacity"]
		want["sluice_legs"] = legs["opening"] + legs["open"]
		want["sluice_leg_capacity"] = legs["capacity"]
		want["sluice_epoch"] = status["epoch"]
		for backend in status["backends"]:
		    if not backend["draining"]:
		        series = 'sluice_backend_up{backend="%s"}' % backend["name"]
		        want[series] = int(backend["up"])
		tables = {table["name"]: table for table in status["memory"]["tables"]}
		assert sum(t["bytes"] for t in tables.values()) == status["memory"]["maps"], tables
		assert tables["flows"]["value"] <= 128, tables["flows"]
		for name in ("flows", "legs", "stashes", "senders"):
		    t = tables[name]
		    assert t["bytes"] >= t["capacity"] * (t["key"] + t["value"]), t
		used, objects = status["memory"]["content_used"], status["memory"]["objects"]
		rounded = samples.pop("sluice_component_bytes")
		assert used <= rounded <= used + 16 * objects, f"{rounded} bytes, not {used}"
		want['sluice_build_info{version="%s"}' % sys.argv[3]] = 1
		wrong = {name: (samples.get(name), want.get(name)) for name in {*samples, *want}
		         if samples.get(name) != want.get(name)}
		assert not wrong, f"(scraped, status): {wrong}"
	PY
}

# Two readings of a datapath at work differ: once it is quiet they must not.
agrees() {
	if wait_until 10 compare 2>"$work/compare.err"; then
		ok "$1"
	else
		failed "$1" "the values of status --json" "$(tail -n 1 "$work/compare.err")"
	fi
}

# refused NAME METRICS TEXT: `run` ends with 1 and that line, and leaves nothing.
refused() {
	local text
	configuration "$2" >"$work/gateway.ini"
	text="$work/gateway.ini:$(line_of_gateway): metrics = $2: $3"
	check_status "run, $1: exit status" 1 sluice run
	if grep -qF -- "$text" "$work/out"; then
		ok "run, $1: message"
	else
		failed "run, $1: message" "$text" "$(tail -n 3 "$work/out")"
	fi
	check_status "run, $1: nothing is loaded" 1 sluice status
	check "run, $1: no state stays" "" "$(grep -ls "$work/gateway.ini" /run/sluice/*)"
}

# reloaded NAME METRICS [ADDRESS]: a reload that succeeds.
reloaded() {
	configuration "${@:2}" >"$work/gateway.ini"
	check_status "reload, $1" 0 sluice reload
}

# not_reloaded NAME METRICS: a reload that fails with "address already in use".
not_reloaded() {
	local before text
	before=$(sluice status --json | jq .epoch)
	configuration "$2" >"$work/gateway.ini"
	text="$work/gateway.ini:$(line_of_gateway): metrics = $2: address already in use"
	check_status "reload, $1: exit status" 1 sluice reload
	if grep -qF -- "$text" "$work/out"; then
		ok "reload, $1: message"
	else
		failed "reload, $1: message" "$text" "$(tail -n 3 "$work/out")"
	fi
	check "reload, $1: configuration" "$before" "$(sluice status --json | jq .epoch)"
}

at_start() {
	take_port 127.0.0.1 9464
	refused "port taken" 127.0.0.1:9464 "address already in use"
	free_port 127.0.0.1:9464
	refused "address of another machine" 192.0.2.1:9464 "no interface of the gateway's network"
	configuration 127.0.0.1:9464 >"$work/gateway.ini"
	if ! start_gateway gateway; then
		failed "run" "ready" "$(tail -n 5 "$work/gateway.log")"
		finish
	fi
	daemon=$spawned
}

answers() {
	local type="text/plain; version=0.0.4; charset=utf-8"
	in_ns client curl -s --max-time 10 -o /dev/null "http://$VIP4/c/1024" \
		-o /dev/null "http://$VIP4/a/whoami" -o /dev/null "http://$VIP4/c/14336" \
		-o /dev/null "http://[$VIP6]/b/whoami"
	agrees "a scrape says what status says"
	check "hits were counted" 2 "$(gauge sluice_hit_total)"
	check "HEAD" "200 $type" "$(head_of 127.0.0.1:9464)"
	check "another path" 404 "$(code_of GET /metric)"
	check "the root" 404 "$(code_of GET /)"
	check "a path below" 404 "$(code_of GET /metrics/x)"
	check "a query is allowed" 200 "$(code_of GET '/metrics?x=1')"
	check "POST" 405 "$(code_of POST /metrics)"
	check "POST to another path" 404 "$(code_of POST /)"
	check "a body is skipped" 200 "$(code_of GET /metrics 127.0.0.1:9464 \
		--data-binary "@$work/components/65536")"
	check "keep-alive" 1 "$(in_ns gw curl -s --max-time 5 -o /dev/null -w '%{num_connects}\n' \
		-o /dev/null http://127.0.0.1:9464/metrics http://127.0.0.1:9464/metrics |
		awk '{ n += $1 } END { print n }')"
}

# A client that sends half a request must not keep the daemon from its work.
half_a_request() {
	spawn "$work/half.log" gw python3 -c 'import signal, socket
s = socket.create_connection(("127.0.0.1", 9464))
s.sendall(b"GET /metr")
signal.pause()'
	wait_until 10 has_connection
	not_busy "half a request"
	check "a scrape beside half a request" 200 "$(code_of GET /metrics)"
	reloaded "beside half a request" 127.0.0.1:9464
}

has_connection() {
	[[ -n $(in_ns gw ss -Htn state established dst 127.0.0.1:9464) ]]
}

backend_down() {
	stop_node node2
	wait_until 10 gauge_is 'sluice_backend_up{backend="node2"}' 0
	check "a backend that is down" 0 "$(gauge 'sluice_backend_up{backend="node2"}')"
	start_node node2
	wait_until 10 gauge_is 'sluice_backend_up{backend="node2"}' 1
	check "a backend that is up again" 1 "$(gauge 'sluice_backend_up{backend="node2"}')"
	reloaded "node2 with another address" 127.0.0.1:9464 10.80.2.2:3000
	check "two backends of one name, one drains" 2 \
		"$(sluice status --json | jq '[.backends[] | select(.name == "node2")] | length')"
	agrees "the one that drains is left out"
}

# ticks: processor time that the daemon has used, in 1/100 s.
ticks() {
	local stat fields
	stat=$(<"/proc/$daemon/stat")
	read -ra fields <<<"${stat##*) }"
	echo $((fields[11] + fields[12]))
}

# An fd that is closed or not read would wake the daemon's loop at once, again and again.
not_busy() {
	local before
	before=$(ticks)
	sleep 0.5 # the time that is measured
	check "$1: the daemon waits" yes "$( (($(ticks) - before < 15)) && echo yes)"
}

at_reload() {
	reloaded "another port" 127.0.0.1:9465
	not_busy "reload, another port"
	check "the new port answers" 200 "$(code_of GET /metrics 127.0.0.1:9465)"
	check "the old port does not" 000 "$(code_of GET /metrics)"
	take_port 127.0.0.1 9464
	not_reloaded "port taken" 127.0.0.1:9464
	check "the one before goes on answering" 200 "$(code_of GET /metrics 127.0.0.1:9465)"
	free_port 127.0.0.1:9464
	reloaded "every address, the same port" 0.0.0.0:9465
	check "every address answers" 200 "$(code_of GET /metrics 10.80.0.1:9465)"
	reloaded "one address, the same port" 127.0.0.1:9465
	check "that address answers" 200 "$(code_of GET /metrics 127.0.0.1:9465)"
	check "others do not" 000 "$(code_of GET /metrics 10.80.0.1:9465)"
	take_port 10.80.0.1 9465
	not_reloaded "every address, one is taken" 0.0.0.0:9465
	check "the one address goes on answering" 200 "$(code_of GET /metrics 127.0.0.1:9465)"
	free_port 10.80.0.1:9465
	reloaded "IPv6" '[::1]:9464'
	check "IPv6 answers" 200 "$(code_of GET /metrics '[::1]:9464')"
	reloaded "off" ''
	not_busy "reload, off"
	check "off: nobody answers" 000 "$(code_of GET /metrics '[::1]:9464')"
	reloaded "on again" 127.0.0.1:9464
	check "on again: it answers" 200 "$(code_of GET /metrics)"
}

at_end() {
	kill -TERM "$daemon"
	wait_until 10 is_free 127.0.0.1:9464
	check "ended: nobody answers" 000 "$(code_of GET /metrics)"
	start_gateway again || failed "run again" "ready" "$(tail -n 5 "$work/again.log")"
	agrees "counters go on with the next daemon"
	check "hits were kept" 2 "$(gauge sluice_hit_total)"
}

bring_up --no-gateway
at_start
answers
half_a_request
backend_down
at_reload
at_end
finish

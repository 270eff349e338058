# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# lib.sh: what the end-to-end suites share. A suite sources it, calls `suite LETTER`, brings up a lab,
# runs checks and calls `finish`, whose status is the suite's. Every check prints one line:
#   ok - NAME | not ok - NAME: expected ..., actual ... | skip - NAME: why
#
# Entry points: suite, lab, in_ns, bring_up, take_down, conf_*, check, checks_of, wait_until, finish.
# Not here: what is checked. Labs, files and processes of a suite end with it, whatever happens.

set -u

HERE=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
ROOT=$(dirname -- "$(dirname -- "$HERE")")
SLUICE=$ROOT/build/sluice
VIP4=10.80.9.9
VIP6=fd80:9::9
export PYTHONDONTWRITEBYTECODE=1

n_ok=0 n_failed=0 n_skipped=0
labs=()        # labs that were begun and are to be taken down
own_gateways=() # those of them whose gateway the suite itself has started
background=()  # pids to be killed at the end

# suite LETTER: sets LAB, a name that no other suite has, and work, a directory that goes at the end.
suite() {
	LAB=t$1$$
	export LAB
	work=$(mktemp -d "/tmp/slt-$LAB.XXXXXX")
	trap clean_up EXIT
	trap 'exit 130' INT TERM
	if [[ $(id -u) != 0 ]]; then
		echo "not ok - suite: expected root, actual uid $(id -u)"
		exit 1
	fi
}

clean_up() {
	local status=$? pid name
	trap '' INT TERM
	for pid in "${background[@]}"; do
		kill -KILL "$pid" 2>/dev/null
	done
	for name in "${own_gateways[@]}"; do
		LAB=$name in_ns gw "$SLUICE" unload -c "$work/gateway.ini" >"$work/unload.log" 2>&1 ||
			cat "$work/unload.log" >&2
	done
	for name in "${labs[@]}"; do
		LAB=$name lab down >"$work/down.log" 2>&1 || cat "$work/down.log" >&2
	done
	rm -rf -- "$work"
	exit "$status"
}

# --- results --------------------------------------------------------------------------------------

ok() {
	echo "ok - $1"
	n_ok=$((n_ok + 1))
}

# failed NAME EXPECTED ACTUAL
failed() {
	echo "not ok - $1: expected $2, actual $3" | tr '\n' ' '
	echo
	n_failed=$((n_failed + 1))
}

skip() {
	echo "skip - $1: $2"
	n_skipped=$((n_skipped + 1))
}

# check NAME EXPECTED ACTUAL
check() {
	if [[ $2 == "$3" ]]; then ok "$1"; else failed "$1" "'$2'" "'$3'"; fi
}

# check_status NAME STATUS COMMAND...: the command's exit status; its output goes to $work/out.
check_status() {
	local name=$1 expected=$2 actual=0
	shift 2
	"$@" >"$work/out" 2>&1 || actual=$?
	if [[ $actual == "$expected" ]]; then
		ok "$name"
	else
		failed "$name" "exit status $expected" "$actual: $(tail -n 3 "$work/out")"
	fi
}

# checks_of NAME COMMAND...: a helper that prints lines of checks itself; NAME is for its failure to.
checks_of() {
	local name=$1 lines status=0
	shift
	lines=$work/lines.$BASHPID
	"$@" >"$lines" || status=$?
	cat "$lines"
	n_ok=$((n_ok + $(grep -c '^ok - ' "$lines")))
	n_skipped=$((n_skipped + $(grep -c '^skip - ' "$lines")))
	n_failed=$((n_failed + $(grep -c '^not ok - ' "$lines")))
	if ((status != 0)) && ! grep -q '^not ok - ' "$lines"; then
		failed "$name" "exit status 0" "$status"
	fi
	rm -f "$lines"
}

# finish: the suite's last command.
finish() {
	echo "# ${0##*/}: $n_ok ok, $n_failed not ok, $n_skipped skipped, $SECONDS s"
	((n_failed == 0))
	exit
}

# wait_until SECONDS COMMAND...: until the command succeeds; fails when it did not in time.
wait_until() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS <= end)) || return 1
		sleep 0.05
	done
}

# --- the lab --------------------------------------------------------------------------------------

lab() {
	"$ROOT/netns-lab/lab" "$@"
}

# in_ns NS COMMAND...
in_ns() {
	nsenter --net="/run/netns/$LAB-$1" -- "${@:2}"
}

# spawn LOG NS COMMAND...: in the background until the suite ends; its pid is in $spawned.
spawn() {
	nsenter --net="/run/netns/$LAB-$2" -- "${@:3}" </dev/null >>"$1" 2>&1 &
	spawned=$!
	background+=("$spawned")
	disown
}

state_dir() {
	echo "/run/sluice-lab/$LAB"
}

# bring_up ARGUMENTS...: lab up, or the suite ends.
bring_up() {
	labs+=("$LAB")
	if ! lab up "$@" >"$work/up.log" 2>&1; then
		failed "lab up" "a lab" "$(tail -n 12 "$work/up.log")"
		finish
	fi
}

take_down() {
	local left=() name
	if ! lab down >"$work/down.log" 2>&1; then
		failed "lab down" "a clean end" "$(tail -n 12 "$work/down.log")"
	fi
	for name in "${labs[@]}"; do
		[[ $name == "$LAB" ]] || left+=("$name")
	done
	labs=("${left[@]}")
}

sluice() {
	local command=$1
	shift
	in_ns gw "$SLUICE" "$command" -c "$work/gateway.ini" "$@"
}

# start_gateway NAME: `sluice run` outside the lab's care, pid in $gateway_pid, log in $work/NAME.log.
start_gateway() {
	own_gateways+=("$LAB")
	: >"$work/$1.log" # an earlier one was ready, too
	spawn "$work/$1.log" gw "$SLUICE" run -c "$work/gateway.ini"
	# shellcheck disable=SC2034 # for the suites
	gateway_pid=$spawned
	wait_until 30 grep -sqx ready "$work/$1.log"
}

# bring_up_gateway: in a lab that was brought up with --no-gateway, or the suite ends.
bring_up_gateway() {
	start_gateway run && return
	failed "sluice run" ready "$(tail -n 5 "$work/run.log")"
	finish
}

# core NAME PREFIX=BACKEND...: the core checks; NAME is what their names begin with.
core() {
	checks_of "core.py: $1" in_ns client python3 "$HERE/core.py" "$1" "$work/components" "${@:2}"
}

# daemon_pid: of the daemon that serves this lab.
daemon_pid() {
	sluice status --json 2>/dev/null | python3 -c 'import json, sys; print(json.load(sys.stdin)["daemon"]["pid"])'
}

# counter NAME: of the datapath, by its name in `sluice status --json`.
counter() {
	sluice status --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["counters"][sys.argv[1]])' "$1"
}

# nstat_of NS NAME: a counter of that namespace's network stack, since it was made.
nstat_of() {
	in_ns "$1" env NSTAT_HISTORY=/dev/null nstat -asz "$2" | awk -v name="$2" '$1 == name { print $2 }'
}

# snapshot: what `run` might change in the gateway's and the backends' namespaces.
snapshot() {
	local ns
	for ns in gw node1 node2; do
		echo "== $ns"
		ip -n "$LAB-$ns" -d -o link show 2>/dev/null # races with namespaces of others
		ip -n "$LAB-$ns" -o addr show
		ip -n "$LAB-$ns" rule show
		ip -n "$LAB-$ns" -6 rule show
		ip -n "$LAB-$ns" route show table all
		ip -n "$LAB-$ns" -6 route show table all
		in_ns "$ns" nft list ruleset
		in_ns "$ns" tc qdisc show
		in_ns "$ns" bpftool net show
		in_ns "$ns" sysctl -a 2>/dev/null | grep '^net\.' | grep -v nf_conntrack_count
	done
}

# stop_node NAME, start_node NAME: the lab's backend in that namespace; `lab down` ends it too.
stop_node() {
	local pid
	read -r pid _ <"$(state_dir)/$1.pid"
	kill -KILL "$pid" 2>/dev/null
	wait_until 10 node_is_gone "$1"
}

node_is_gone() {
	[[ -z $(in_ns "$1" ss -Htln sport = :3000) ]]
}

node_answers() {
	in_ns "$1" curl -sf --max-time 1 -o /dev/null http://127.0.0.1:3000/healthz
}

start_node() {
	local stat fields
	setsid nsenter --net="/run/netns/$LAB-$1" -- env NAME="$1" HOST=:: PORT=3000 NODE_ENV=production \
		node "$ROOT/netns-lab/app/server.mjs" </dev/null >>"$(state_dir)/$1.log" 2>&1 &
	stat=$(<"/proc/$!/stat")
	read -ra fields <<<"${stat##*) }"
	echo "$! ${fields[19]}" >"$(state_dir)/$1.pid"
	disown
	wait_until 20 node_answers "$1"
}

local_answers() {
	in_ns gw curl -sf --max-time 1 -o /dev/null "http://10.80.0.1:$1/healthz"
}

# start_local NUMBER: a backend in the gateway's own netns, on port 3000 + NUMBER; its pid
# is in $spawned.
start_local() {
	spawn "$work/local$1.log" gw env NAME="local$1" HOST=:: PORT=$((3000 + $1)) NODE_ENV=production \
		node "$ROOT/netns-lab/app/server.mjs"
	wait_until 20 local_answers $((3000 + $1))
}

# --- configuration --------------------------------------------------------------------------------

# conf_gateway [LINES]: the [gateway] section; LINES replace or add keys.
conf_gateway() {
	cat <<-INI
		[gateway]
		uplink = gw0
		vip = $VIP4:80, [$VIP6]:80
		admin = $(state_dir)/admin.sock
		${1:-flows = 16384}

	INI
}

# conf_backends [LINES1 [LINES2]]: node1 and node2, without health probes unless LINES ask for them.
conf_backends() {
	cat <<-INI
		[backend node1]
		address = 10.80.1.2:3000, [fd80:1::2]:3000
		netns = $LAB-node1
		interface = eth0
		${1:-}

		[backend node2]
		address = 10.80.2.2:3000, [fd80:2::2]:3000
		netns = $LAB-node2
		interface = eth0
		${2:-}

	INI
}

# conf_pools [LINES]: ssr of both backends (LINES are its keys), a and b of one each, with routes.
conf_pools() {
	cat <<-INI
		[pool ssr]
		backends = node1, node2
		${1:-default = yes}

		[pool a]
		backends = node1

		[pool b]
		backends = node2

		[route a]
		path = /a/
		pool = a

		[route b]
		path = /b/
		pool = b

	INI
}

# conf_components: /c/SIZE for each size, files with bytes that differ at every place.
conf_components() {
	local size
	mkdir -p "$work/components"
	for size in 1 1024 14336 65536; do
		component_file "$work/components/$size" "$size" "$size"
		printf '[component c%s]\npath = /c/%s\nfile = components/%s\npool = ssr\n' \
			"$size" "$size" "$size"
		printf 'type = application/octet-stream\ncache-control = public, max-age=60\n\n'
	done
}

# component_file FILE SIZE SEED
component_file() {
	python3 -c 'import random, sys
open(sys.argv[1], "wb").write(random.Random(sys.argv[3]).randbytes(int(sys.argv[2])))' "$@"
}

# conf_local: backend local1 on port 3001 of the gateway's own netns, with route /l/.
conf_local() {
	cat <<-'INI'
		[backend local1]
		address = 10.80.0.1:3001, [fd80::1]:3001

		[pool l]
		backends = local1

		[route l]
		path = /l/
		pool = l

	INI
}

# conf_standard: the configuration that most suites use.
conf_standard() {
	conf_gateway ''
	conf_backends '' ''
	conf_pools ''
	conf_components
}

# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# lib.sh: what the benchmarks share. A benchmark sources it, exports LAB, calls `begin` and prepares
# what it needs; `measure` is its last command. Whatever happens, a trap ends the processes and takes
# away the namespaces, the lab and the files of this run.
# Entry points: requested_seconds, preflight_root, begin, at_end, measure; add_netns, link,
# widen_ports; generate_conf, component; c_tool, compiler; start, await, start_nginx.
# shellcheck disable=SC2153 # LAB

HERE=$(dirname -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")") # netns-lab
ROOT=$(dirname -- "$HERE")
PATH=$PATH:/usr/sbin:/sbin

# shellcheck source-path=SCRIPTDIR source=nginx.sh
. "$HERE/bench/nginx.sh"

work=           # directory of this run
children=()     # pids
namespaces=()   # beside the lab's own
last_act=(true) # command of at_end

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

# requested_seconds DEFAULT: SECONDS of the environment. In bash that is a clock, and has begun to run.
requested_seconds() {
	local seconds
	seconds=$(tr '\0' '\n' <"/proc/$$/environ" | sed -n 's/^SECONDS=//p')
	echo "${seconds:-$1}"
}

# preflight_root TOOL...: root, those tools, and build/sluice.
preflight_root() {
	local tool
	[[ $(id -u) == 0 ]] || die "needs root"
	for tool in "$@"; do
		command -v "$tool" >/dev/null || die "$tool is missing: run make deps"
	done
	[[ -x $ROOT/build/sluice && -f $ROOT/build/vmlinux.h ]] ||
		die "build/sluice is missing: run make"
}

# --- begin and end --------------------------------------------------------------------------------

# begin NAME: the directory of this run, and its end by trap.
begin() {
	trap clean_up EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	work=$(mktemp -d "${TMPDIR:-/tmp}/sluice-$1.XXXXXX")
}

# at_end COMMAND...: when the processes have ended and the namespaces are still there.
at_end() {
	last_act=("$@")
}

end_children() {
	local i pid
	for ((i = ${#children[@]} - 1; i >= 0; i--)); do
		pid=${children[i]}
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
}

clean_up() {
	local status=$? ns
	trap '' INT TERM
	end_children
	"${last_act[@]}" || status=1
	for ns in "${namespaces[@]}"; do
		[[ ! -e /run/netns/$LAB-$ns ]] || ip netns del "$LAB-$ns" || status=1
	done
	[[ ! -e /run/sluice-lab/$LAB ]] || lab down >/dev/null || status=1
	[[ -z $work ]] || rm -rf -- "$work"
	exit "$status"
}

# measure SCRIPT: in the background, so that a signal is heeded at once; -B: no files beside the
# sources.
measure() {
	python3 -B "$HERE/bench/$1" &
	children+=("$!")
	wait "$!"
}

# --- processes ------------------------------------------------------------------------------------

# start NAME NETNS COMMAND...: in the background; its output is NAME.log, its pid the last child.
start() {
	local name=$1 ns=$LAB-$2
	shift 2
	nsenter --net="/run/netns/$ns" -- "$@" </dev/null >"$work/$name.log" 2>&1 &
	children+=("$!")
}

# await NAME COMMAND...: until the command succeeds; dies with NAME.log after five seconds.
await() {
	local name=$1 tries
	shift
	for ((tries = 0; tries < 100; tries++)); do
		"$@" && return
		kill -0 "${children[-1]}" 2>/dev/null || break
		sleep 0.05
	done
	tail -n 20 "$work/$name.log" >&2
	die "$name is not ready, see its log above"
}

# is_ready NAME: it has printed so.
is_ready() {
	grep -sqx ready "$work/$1.log"
}

# start_nginx COMMAND...: in the namespace `plain`; stdin describes the servers, and the command
# succeeds when they are ready.
start_nginx() {
	launch_nginx start nginx plain
	await nginx "$@"
}

# --- the lab and what stands beside it ------------------------------------------------------------

lab() {
	"$HERE/lab" "$@"
}

# lab_pid NAME: of a process that the lab started.
lab_pid() {
	cut -d ' ' -f 1 "/run/sluice-lab/$LAB/$1.pid"
}

# in_netns NAME COMMAND...
in_netns() {
	local ns=$LAB-$1
	shift
	nsenter --net="/run/netns/$ns" -- "$@"
}

# add_netns NAME: without IPv6.
add_netns() {
	namespaces+=("$1")
	ip netns add "$LAB-$1"
	in_netns "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 \
		net.ipv6.conf.default.disable_ipv6=1
	ip -n "$LAB-$1" link set lo up
}

# veth NETNS DEVICE NETNS DEVICE: a pair that is up.
veth() {
	ip -n "$LAB-$1" link add "$2" type veth peer name "$4" netns "$LAB-$3"
	ip -n "$LAB-$1" link set "$2" up
	ip -n "$LAB-$3" link set "$4" up
}

# address NETNS DEVICE ADDRESS: a /24.
address() {
	ip -n "$LAB-$1" addr add "$3/24" dev "$2"
}

# link NETNS DEVICE ADDRESS NETNS DEVICE ADDRESS: a veth pair with a /24 of its own.
link() {
	veth "$1" "$2" "$4" "$5"
	address "$1" "$2" "$3"
	address "$4" "$5" "$6"
}

# widen_ports: a connection for each request uses up the client's faster than TIME_WAIT frees them.
widen_ports() {
	in_netns client sysctl -qw net.ipv4.ip_local_port_range='1024 65535' net.ipv4.tcp_tw_reuse=1
}

# --- what is served -------------------------------------------------------------------------------

# generate_conf UPLINKS: gateway.ini, with node1 for all and no health probes in between.
generate_conf() {
	mkdir -p "$work/www/c"
	cat >"$work/gateway.ini" <<-EOF
		[gateway]
		uplink = $1
		vip = 10.80.9.9:80
		admin = $work/admin.sock
		[backend node1]
		address = 10.80.1.2:3000
		netns = $LAB-node1
		interface = eth0
		[pool ssr]
		backends = node1
		default = yes
	EOF
}

# component NAME BYTES: a file with a known pattern, and its section of the configuration.
component() {
	awk -v n="$2" 'BEGIN { for (i = 0; i < n; i++) printf "%c", 97 + i % 26 }' \
		>"$work/www/c/$1"
	cat >>"$work/gateway.ini" <<-EOF
		[component $1]
		path = /c/$1
		file = www/c/$1
		type = text/html
	EOF
}

# --- tools ----------------------------------------------------------------------------------------

# compiler: prints the clang that the Makefile would take.
compiler() {
	local name
	for name in ${CLANG:+"$CLANG"} clang-19 clang-18 clang; do
		command -v "$name" && return
	done
	die "clang is missing: run make deps"
}

# c_tool NAME [ARGUMENTS...]: bench/NAME.c to $work/NAME.
c_tool() {
	cc -O2 -g -Wall -Wextra -Wshadow -Werror -D_GNU_SOURCE -I"$work" -o "$work/$1" \
		"$HERE/bench/$1.c" "${@:2}"
}

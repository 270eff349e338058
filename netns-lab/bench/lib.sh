# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# lib.sh: what the benchmarks share; they source it after setting HERE (netns-lab), ROOT and LAB.
# It begins `work`, the directory of a run, and `children`, its processes, which the one who
# sources it has to end by trap.
# Entry points: die, lab, in_netns, start, await, end_children, preflight_root, compiler, component,
# c_tool, lab_pid, link.
# shellcheck disable=SC2153 # HERE, LAB

work=       # directory of this run
children=() # pids

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

lab() {
	"$HERE/lab" "$@"
}

# in_netns NAME COMMAND...
in_netns() {
	local ns=$LAB-$1
	shift
	nsenter --net="/run/netns/$ns" -- "$@"
}

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

end_children() {
	local i pid
	for ((i = ${#children[@]} - 1; i >= 0; i--)); do
		pid=${children[i]}
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
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

# lab_pid NAME: of a process that the lab started.
lab_pid() {
	cut -d ' ' -f 1 "/run/sluice-lab/$LAB/$1.pid"
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

# link NETNS DEVICE ADDRESS NETNS DEVICE ADDRESS: a veth pair with a /24 of its own.
link() {
	ip -n "$LAB-$1" link add "$2" type veth peer name "$5" netns "$LAB-$4"
	ip -n "$LAB-$1" addr add "$3/24" dev "$2"
	ip -n "$LAB-$4" addr add "$6/24" dev "$5"
	ip -n "$LAB-$1" link set "$2" up
	ip -n "$LAB-$4" link set "$5" up
}

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# loss.sh: a wire that loses, repeats, reorders and delays packets in both directions. Every byte is
# right, and nothing stalls. The wire is seeded, the machine is not: a failure may need a second run.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"

# loss NAME CONNECTIONS REQUESTS PATH...
loss() {
	checks_of "loss.py: $1" in_ns client python3 "$HERE/loss.py" "$work/components" "$@"
}

# round NAME LETTER WIRE SCALE: a lab with that wire; the numbers of connections are 2 x SCALE.
round() {
	local n=$((2 * $4))
	LAB=$lab$2
	conf_standard >"$work/gateway.ini"
	bring_up --conf "$work/gateway.ini" --wire "$3"
	loss "$1: 14 KB" "$n" 25 /c/14336
	loss "$1: 64 KB" "$n" 3 /c/65536
	loss "$1: 1 KB" "$n" 25 /c/1024
	loss "$1: a connection for each 1 KB" $((4 * n)) 1 /c/1024
	loss "$1: misses of 14 KB" "$n" 5 /a/bytes/14000
	loss "$1: a connection for each miss" $((2 * n)) 1 /b/bytes/3000
	loss "$1: uploads" "$n" 3 /a/whoami=20000 /b/whoami=100 /a/whoami=100000
	loss "$1: turns" "$n" 12 /c/14336 /a/bytes/14000 /c/1024 /b/bytes/3000 /b/whoami=5000 /c/1
	take_down
}

suite w
lab=$LAB
round "2 % loss" a "loss=2 seed=1" 10
round "loss, reordering, repetition, delay" b "loss=2 reorder=2 dup=1 delay=5 seed=2" 5
round "5 % loss" c "loss=5 seed=3" 5
finish

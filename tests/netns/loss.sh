#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# loss.sh: a wire that loses, repeats, reorders and delays packets in both directions. Every byte is
# right, and nothing stalls. The wire is seeded, the machine is not: a failure may need a second run.

. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"

# loss NAME CONNECTIONS REQUESTS PATH...
loss() {
	checks_of "loss.py: $1" in_ns client python3 "$HERE/loss.py" "$work/components" "$@"
}

suite w
conf_standard >"$work/gateway.ini"
bring_up --conf "$work/gateway.ini" --wire "loss=2 seed=1"
loss "2 % loss: 14 KB" 20 25 /c/14336
loss "2 % loss: 64 KB" 10 5 /c/65536
loss "2 % loss: 1 KB" 10 50 /c/1024
loss "2 % loss: misses of 14 KB" 20 5 /a/bytes/14000
loss "2 % loss: components and backends take turns" 10 20 /c/14336 /a/bytes/14000 /c/1024 /b/bytes/3000
take_down

LAB=${LAB}b
conf_standard >"$work/gateway.ini"
bring_up --conf "$work/gateway.ini" --wire "loss=2 reorder=2 dup=1 delay=5 seed=2"
loss "loss, reordering, repetition, delay: 14 KB" 20 5 /c/14336
loss "loss, reordering, repetition, delay: 64 KB" 10 5 /c/65536
loss "loss, reordering, repetition, delay: misses" 20 5 /a/bytes/14000
loss "loss, reordering, repetition, delay: turns" 10 10 /c/14336 /a/bytes/14000 /c/1024 /b/bytes/3000
finish

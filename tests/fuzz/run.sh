#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# run.sh: fuzzes the HTTP parsers: the libFuzzer harnesses, then requests and responses against the
# llhttp of Node.js 18, 20 and 22 (npm's, see package.json) and of the installed one. Prints lines as
# tests do, the seed among them; a failure's log is shown.
#
# usage: run.sh [short|long]; `make fuzz` builds and runs the long form, `make check` the short one.
# Environment: CASES (executions of the comparison in all), SECONDS_EACH (of a harness), SEED, CORPUS
# (a file of JSON lines with request_b64, mixed into the requests).

set -u
cd "$(dirname -- "$(readlink -f -- "$0")")" || exit 1

FORM=${1:-short}
BUILD=${BUILD:-../../build/fuzz}
SEED=${SEED:-$((RANDOM * 32768 + RANDOM + 1))}
FUZZERS=(request response chunked normal)
VERSIONS=(18 20 22)

case $FORM in
short) CASES=${CASES:-50000} LIMIT=(-runs=4000) ;;
long) CASES=${CASES:-10000000} LIMIT=("-max_total_time=${SECONDS_EACH:-60}") ;;
*)
	echo "usage: run.sh [short|long]" >&2
	exit 2
	;;
esac

log=$(mktemp "/tmp/fuzz-run.XXXXXX")
trap 'rm -f -- "$log"' EXIT
trap 'exit 130' INT TERM
n_failed=0 executed=0 disagreed=0

# report NAME STATUS: the line of a check whose output is in $log.
report() {
	if (($2 == 0)); then
		echo "ok - $1: $(tail -n 1 "$log")"
		return
	fi
	echo "not ok - $1: expected exit status 0, actual $2"
	head -c 4000 "$log"
	n_failed=$((n_failed + 1))
}

fuzz() {
	local name=$1 status=0
	mkdir -p "$BUILD/corpus-$name"
	timeout 900 "$BUILD/fuzz_$name" "${LIMIT[@]}" "-seed=$SEED" -max_len=4096 -dict=http.dict \
		"-artifact_prefix=$BUILD/" "$BUILD/corpus-$name" >"$log" 2>&1 || status=$?
	report "fuzz_$name, seed $SEED" "$status"
}

# compare NAME NODE KIND COUNT
compare() {
	local status=0 disagreements
	nice timeout 3600 "$2" differential.mjs "$3" "$BUILD/http_cases" "$4" "$SEED" >"$log" 2>&1 ||
		status=$?
	disagreements=$(sed -n 's/.*, \([0-9]*\) disagreements$/\1/p' "$log")
	if [[ -n $disagreements ]]; then
		executed=$((executed + $4)) disagreed=$((disagreed + disagreements))
	fi
	report "$3 as $1" "$status"
	SEED=$((SEED + 1))
}

# node_of VERSION: npm's program of that version for this machine, if it is installed.
node_of() {
	local arch
	case $(uname -m) in
	x86_64) arch=x64 ;;
	aarch64) arch=arm64 ;;
	*) return 1 ;;
	esac
	[[ -x node_modules/node$1-$arch/bin/node ]] && echo "node_modules/node$1-$arch/bin/node"
}

for name in "${FUZZERS[@]}"; do
	fuzz "$name"
done

names=() nodes=()
for version in "${VERSIONS[@]}"; do
	if node=$(node_of "$version"); then
		names+=("Node $version") nodes+=("$node")
	else
		echo "skip - as Node $version: no program of it; tests/deps.sh installs it from npm"
	fi
done
if ((${#nodes[@]} == 0)); then
	names=("the installed Node") nodes=(node)
fi
for i in "${!nodes[@]}"; do
	for kind in requests responses; do
		compare "${names[i]}" "${nodes[i]}" "$kind" $((CASES / 2 / ${#nodes[@]} + 1))
	done
done
echo "# $executed executions of the comparison, $disagreed disagreements"
exit $((n_failed > 0))

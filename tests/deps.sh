#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# deps.sh: installs what the build and the tests need (`make deps`); does nothing when all is there.
# From apt: compilers, libraries, load generators, the peers of the benchmarks, and Node.js when the
# machine has none or one older than 18. From npm: the packages of the lab's backends, and the Node.js
# versions whose HTTP parsers the fuzzers compare with (500 MB; SLUICE_DEPS=small leaves them out).
# No service is started or left enabled: nginx and HAProxy run only where tests start them.

set -euo pipefail

HERE=$(dirname -- "$(readlink -f -- "$0")")
POLICY=/usr/sbin/policy-rc.d
NODE_OLDEST=18

PACKAGES=(
	make gcc pkg-config libbpf-dev libelf-dev zlib1g-dev libnl-3-dev libnl-route-3-dev
	libinih-dev libcmocka-dev libcurl4-openssl-dev libjansson-dev libmicrohttpd-dev libbrotli-dev
	bpftool iproute2 ethtool nftables procps jq ca-certificates
	curl wrk nghttp2-client hping3 haproxy tcpdump python3 python3-scapy
	shellcheck mandoc
)
CLANG_19=(clang-19 libclang-rt-19-dev clang-format-19)
CLANG_DEFAULT=(clang llvm libclang-rt-dev clang-format) # where there is no clang-19
SERVICES=(nginx haproxy)

die() {
	echo "deps: $*" >&2
	exit 1
}

# missing PACKAGE...: prints those that are not installed.
missing() {
	local package state
	for package in "$@"; do
		state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=none
		[[ $state == installed ]] || echo "$package"
	done
}

has_candidate() {
	[[ $(apt-cache policy "$1" 2>/dev/null) =~ Candidate:\ [0-9] ]]
}

has_node() {
	local version
	command -v npm >/dev/null && version=$(node --version 2>/dev/null) || return 1
	version=${version#v}
	((${version%%.*} >= NODE_OLDEST))
}

# wanted: prints all packages that the machine should have, as far as apt knows them now.
wanted() {
	printf '%s\n' "${PACKAGES[@]}"
	if [[ -z $(missing "${CLANG_19[@]}") ]] || has_candidate clang-19; then
		printf '%s\n' "${CLANG_19[@]}"
	else
		printf '%s\n' "${CLANG_DEFAULT[@]}"
	fi
	command -v nginx >/dev/null || echo nginx-light # flavours exclude each other: any will do
	has_node || printf '%s\n' nodejs npm
}

# Denies package scripts to start services during the installation, unless the host has a policy.
deny_service_starts() {
	[[ -e $POLICY ]] && return
	trap 'rm -f -- "$POLICY"' EXIT
	trap 'exit 130' INT TERM
	printf '#!/bin/sh\nexit 101\n' >"$POLICY"
	chmod 755 "$POLICY"
}

allow_service_starts() {
	[[ -z $(trap -p EXIT) ]] || rm -f -- "$POLICY"
	trap - EXIT INT TERM
}

# disable_services PACKAGE...: those just installed, so that they do not start at the next boot.
disable_services() {
	local service
	command -v systemctl >/dev/null || return 0
	for service in "${SERVICES[@]}"; do
		[[ " $* " == *" $service"* ]] || continue
		systemctl disable --quiet "$service" 2>/dev/null ||
			echo "deps: could not disable the service $service" >&2
	done
}

install_packages() {
	local packages
	mapfile -t packages < <(wanted)
	[[ -n $(missing "${packages[@]}") ]] || return 0
	[[ $(id -u) == 0 ]] || die "needs root to install: $(missing "${packages[@]}" | xargs)"
	apt-get update -q || die "apt-get update failed; see its message above"
	mapfile -t packages < <(wanted) # now that the lists are there
	mapfile -t packages < <(missing "${packages[@]}")
	echo "deps: installing ${packages[*]}"
	deny_service_starts
	DEBIAN_FRONTEND=noninteractive \
		apt-get install -qy --no-install-recommends "${packages[@]}" ||
		die "apt-get install failed; see its message above"
	allow_service_starts
	disable_services "${packages[@]}"
	has_node || die "Node.js $NODE_OLDEST or later is needed, found $(node --version 2>&1)"
}

# npm writes node_modules/.package-lock.json last: its date tells whether they are up to date.
install_node_packages() {
	cd "$HERE/$1"
	[[ node_modules/.package-lock.json -nt package-lock.json &&
		node_modules/.package-lock.json -nt package.json ]] && return
	echo "deps: installing the Node packages of $1"
	npm ci --omit=dev
}

install_packages
install_node_packages ../netns-lab || die "npm ci failed; see its message above"
if [[ ${SLUICE_DEPS:-all} != small ]]; then
	install_node_packages fuzz ||
		echo "deps: the fuzzers compare with the installed Node.js only; see npm's message above" >&2
fi

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# firewall.sh: a gateway with a strict firewall and strict sysctls, before `run` and made stricter
# under it: what is steered needs no forwarding, no conntrack entry and no source route check.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"
suite f

SYSCTLS="net.ipv4.ip_forward net.ipv6.conf.all.forwarding net.ipv4.conf.all.rp_filter
	net.ipv4.conf.gw0.rp_filter net.ipv4.conf.n1.rp_filter net.ipv4.conf.n2.rp_filter
	net.ipv4.conf.all.accept_local net.ipv4.conf.gw0.accept_local net.ipv4.conf.n1.accept_local
	net.ipv4.conf.gw0.forwarding net.ipv4.conf.n1.forwarding net.ipv4.conf.n2.forwarding"

strict_sysctls() {
	in_ns gw sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0 \
		net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.default.rp_filter=1 \
		net.ipv4.conf.gw0.rp_filter=1 net.ipv4.conf.n1.rp_filter=1 net.ipv4.conf.n2.rp_filter=1 \
		net.ipv4.conf.all.accept_local=0 net.ipv4.conf.gw0.accept_local=0 \
		net.ipv4.conf.n1.accept_local=0
}

sysctls() {
	# shellcheck disable=SC2086 # a list
	in_ns gw sysctl $SYSCTLS
}

# Nothing is forwarded, nothing that conntrack does not know comes in; the probes' own connections do.
strict_rules() {
	in_ns gw nft -f - <<-'NFT'
		table inet strict {
			chain forward {
				type filter hook forward priority filter; policy drop;
				ct state invalid counter drop
			}
			chain input {
				type filter hook input priority filter; policy accept;
				ct state invalid counter drop
			}
		}
	NFT
}

# counted: packets that the firewall's rules have dropped.
counted() {
	in_ns gw nft list ruleset | awk '/counter packets/ { for (i = 1; i < NF; i++) if ($i == "packets") n += $(i + 1) } END { print n }'
}

{
	conf_standard
	conf_local
} >"$work/gateway.ini"
bring_up --no-gateway
strict_sysctls
if ! strict_rules 2>"$work/nft.log"; then
	skip "firewall with conntrack" "$(tail -n 1 "$work/nft.log")"
	finish
fi
before=$(sysctls)
start_local 1
bring_up_gateway
core "strict gateway" a=node1 b=node2 l=local1
check "ip_forward, rp_filter, accept_local are left alone" "$before" "$(sysctls)"
check "packets that the firewall dropped" 0 "$(counted)"

# The backends' own firewalls: what arrives there are connections without a SYN.
for node in node1 node2; do
	in_ns "$node" nft -f - <<-'NFT'
		table inet strict {
			chain input {
				type filter hook input priority filter; policy accept;
				tcp flags & (fin | syn | rst | ack) == syn counter drop
			}
		}
	NFT
	in_ns "$node" sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.eth0.rp_filter=1
done
core "backends without SYN" a=node1 b=node2
finish

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Command line over netns.h, routes.h and attach.h, so that control_routes.sh can drive them in
 * namespaces of its own. Prints one line; exits 0, or 1 with "error: TEXT".
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../control/attach.h"
#include "../../control/log.h"
#include "../../control/netns.h"
#include "../../control/routes.h"

#define MAX_STEERINGS 16

static struct routes *routes;

static int parse_addr(const char *text, struct in6_addr *out)
{
	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET6, text, out) == 1)
		return 0;
	out->s6_addr[10] = out->s6_addr[11] = 0xff;
	return inet_pton(AF_INET, text, &out->s6_addr[12]) == 1 ? 0 : -EINVAL;
}

static const char *addr_text(const struct in6_addr *addr)
{
	static char text[INET6_ADDRSTRLEN];

	if (IN6_IS_ADDR_V4MAPPED(addr))
		return inet_ntop(AF_INET, &addr->s6_addr[12], text, sizeof(text));
	return inet_ntop(AF_INET6, addr, text, sizeof(text));
}

static int run_link(char **args)
{
	struct link_info link;
	int err = routes_link_by_name(routes, args[0], &link);

	if (err)
		return err;
	printf("mtu=%u mac=%02x:%02x:%02x:%02x:%02x:%02x%s%s%s\n", link.mtu, link.mac[0],
	       link.mac[1], link.mac[2], link.mac[3], link.mac[4], link.mac[5],
	       link.is_ethernet ? " ethernet" : "", link.is_veth ? " veth" : "",
	       link.is_up ? " up" : "");
	return 0;
}

static int run_address(char **args)
{
	struct in6_addr addr;
	int family = !strcmp(args[1], "6") ? AF_INET6 : AF_INET;
	int err = routes_first_address(routes, if_nametoindex(args[0]), family, &addr);

	if (!err)
		printf("%s\n", addr_text(&addr));
	return err;
}

static int run_lookup(char **args)
{
	struct in6_addr addr;
	struct next_hop hop;
	char name[IF_NAMESIZE];
	int err = parse_addr(args[0], &addr);

	if (!err)
		err = routes_lookup(routes, &addr, &hop);
	if (err)
		return err;
	printf("dev %s via %s%s\n", if_indextoname(hop.ifindex, name), addr_text(&hop.via),
	       hop.is_local ? " local" : "");
	return 0;
}

/* MARK,MASK,TABLE,PRIORITY,ADDRESS,DEVICE[,GATEWAY] */
static int parse_steering(char *text, struct steering *out)
{
	char *field[7] = {};
	int n = 0;

	memset(out, 0, sizeof(*out));
	for (text = strtok(text, ","); text && n < 7; text = strtok(NULL, ","))
		field[n++] = text;
	if (n < 6 || parse_addr(field[4], &out->addr))
		return -EINVAL;
	if (field[6] && parse_addr(field[6], &out->hop.via))
		return -EINVAL;
	out->mark = (uint32_t)strtoul(field[0], NULL, 0);
	out->mask = (uint32_t)strtoul(field[1], NULL, 0);
	out->table = (uint32_t)strtoul(field[2], NULL, 0);
	out->priority = (uint32_t)strtoul(field[3], NULL, 0);
	out->family = IN6_IS_ADDR_V4MAPPED(&out->addr) ? AF_INET : AF_INET6;
	out->hop.ifindex = if_nametoindex(field[5]);
	return 0;
}

static int run_sync(char **args)
{
	struct steering want[MAX_STEERINGS];
	uint32_t first = (uint32_t)strtoul(args[0], NULL, 0);
	uint32_t count = (uint32_t)strtoul(args[1], NULL, 0);
	size_t n = 0;
	int err = 0;

	for (args += 2; *args && n < MAX_STEERINGS && !err; args++)
		err = parse_steering(*args, &want[n++]);
	if (!err)
		err = routes_sync(routes, want, n, first, count);
	if (!err)
		printf("synced %zu\n", n);
	return err;
}

static int run_add_vip(char **args)
{
	struct in6_addr addr;
	bool added;
	int err = parse_addr(args[0], &addr);

	if (!err)
		err = routes_add_vip(routes, &addr, &added);
	if (!err)
		printf("%s\n", added ? "added" : "there");
	return err;
}

static int run_del_vip(char **args)
{
	struct in6_addr addr;
	int err = parse_addr(args[0], &addr);

	return err ? err : routes_del_vip(routes, &addr);
}

static int run_cookie(char **args)
{
	uint64_t cookie;
	int fd, previous, err;

	fd = netns_open(strcmp(args[0], "own") ? args[0] : NULL);
	if (fd < 0)
		return fd;
	err = netns_enter(fd, &previous);
	close(fd);
	if (err)
		return err;
	err = netns_cookie(&cookie);
	netns_leave(previous);
	if (!err)
		printf("%llu\n", (unsigned long long)cookie);
	return err;
}

static int load_program(void)
{
	static const struct bpf_insn insns[] = {
		/* return TCX_NEXT */
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = -1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "pass", "GPL", insns, 2, NULL);

	return fd < 0 ? -errno : fd;
}

/* NETNS DEVICE ingress|egress PIN; NETNS may be "own" */
static int run_attach(char **args)
{
	enum attach_point point = !strcmp(args[2], "egress") ? ATTACH_EGRESS : ATTACH_INGRESS;
	bool is_own = !strcmp(args[0], "own"), made;
	uint32_t ifindex;
	int fd, prog_fd, previous, err;

	fd = netns_open(is_own ? NULL : args[0]);
	if (fd < 0)
		return fd;
	err = netns_enter(fd, &previous);
	if (err)
		return err;
	ifindex = if_nametoindex(args[1]);
	netns_leave(previous);

	prog_fd = load_program();
	if (prog_fd < 0)
		return prog_fd;
	err = attach_tcx(prog_fd, is_own ? -1 : fd, ifindex, point, args[3], &made);
	if (!err)
		printf("%s\n", made ? "made" : "updated");
	return err;
}

static int run_detach(char **args)
{
	return attach_remove(args[0]);
}

static const struct {
	const char *name;
	int args;
	int (*run)(char **args);
} commands[] = {
	{ "link", 1, run_link },     { "address", 2, run_address }, { "lookup", 1, run_lookup },
	{ "sync", 2, run_sync },     { "add-vip", 1, run_add_vip }, { "del-vip", 1, run_del_vip },
	{ "cookie", 1, run_cookie }, { "attach", 4, run_attach },   { "detach", 1, run_detach },
};

int main(int argc, char **argv)
{
	size_t i;
	int err = -EINVAL;

	for (i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[1], commands[i].name) || argc - 2 < commands[i].args)
			continue;
		err = routes_open(&routes);
		if (!err)
			err = commands[i].run(argv + 2);
		routes_close(routes);
		break;
	}
	if (err)
		printf("error: %s\n", strerror(-err));
	return err ? 1 : 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * probe_machine(): what the datapath asks of the kernel and of this process, found out by trying:
 * tiny programs are loaded, a link is made on lo of a throw-away netns, a bpffs is mounted in a
 * throw-away mount namespace. Nothing of it outlives the call.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe.h"

#define BPFFS_SYSTEM "/sys/fs/bpf"
#define BPFFS_OWN "/run/sluice/bpf"
#define VMLINUX_BTF "/sys/kernel/btf/vmlinux"

#define LO_IFINDEX 1	      /* in every new netns */
#define TCX_ATTACH_INGRESS 46 /* BPF_TCX_INGRESS of Linux 6.6 */
#define INSN_MAY_GOTO 0xe5    /* BPF_JMP | BPF_JCOND of Linux 6.9; src_reg 0 is BPF_MAY_GOTO */
#define RETURN_NEXT -1	      /* TCX_NEXT */

#define INSN(c, d, s, o, i) { .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) }
#define MOV_IMM(reg, value) INSN(BPF_ALU64 | BPF_MOV | BPF_K, reg, 0, 0, value)
#define EXIT_INSN INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

static const struct bpf_insn pass_insns[] = {
	MOV_IMM(BPF_REG_0, RETURN_NEXT),
	EXIT_INSN,
};

static const struct bpf_insn may_goto_insns[] = {
	MOV_IMM(BPF_REG_0, RETURN_NEXT),
	INSN(INSN_MAY_GOTO, 0, 0, 1, 0),
	INSN(BPF_JMP | BPF_JA, 0, 0, -2, 0),
	EXIT_INSN,
};

static const struct bpf_insn cmpxchg_insns[] = {
	MOV_IMM(BPF_REG_0, 0),
	INSN(BPF_STX | BPF_MEM | BPF_DW, BPF_REG_10, BPF_REG_0, -8, 0),
	INSN(BPF_STX | BPF_ATOMIC | BPF_DW, BPF_REG_10, BPF_REG_0, -8, BPF_CMPXCHG),
	MOV_IMM(BPF_REG_0, RETURN_NEXT),
	EXIT_INSN,
};

static const struct {
	int number;
	const char *name, *why;
} capabilities[] = {
	{ CAP_BPF, "CAP_BPF", "loads programs and maps" },
	{ CAP_NET_ADMIN, "CAP_NET_ADMIN", "attaches programs, writes rules and routes" },
	{ CAP_SYS_ADMIN, "CAP_SYS_ADMIN", "enters the backends' network namespaces" },
};

static const struct {
	const char *name, *needs;
} kfuncs[] = {
	{ "bpf_sk_assign_tcp_reqsk", "Linux 6.9 or later with CONFIG_SYN_COOKIES=y" },
	{ "bpf_cast_to_kern_ctx", "Linux 6.2 or later" },
};

static const struct {
	enum bpf_func_id id;
	const char *name;
} helpers[] = {
	{ BPF_FUNC_fib_lookup, "bpf_fib_lookup" },
	{ BPF_FUNC_redirect_neigh, "bpf_redirect_neigh" },
	{ BPF_FUNC_redirect_peer, "bpf_redirect_peer" },
	{ BPF_FUNC_clone_redirect, "bpf_clone_redirect" },
	{ BPF_FUNC_skc_lookup_tcp, "bpf_skc_lookup_tcp" },
	{ BPF_FUNC_sk_assign, "bpf_sk_assign" },
	{ BPF_FUNC_skb_change_tail, "bpf_skb_change_tail" },
	{ BPF_FUNC_loop, "bpf_loop" },
};

static int probe_capabilities(FILE *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
	int problems = 0, number;
	size_t i;

	if (syscall(SYS_capget, &header, data)) {
		fprintf(err, "sluice: cannot read the capabilities: %s\n", strerror(errno));
		return 1;
	}
	for (i = 0; i < sizeof(capabilities) / sizeof(capabilities[0]); i++) {
		number = capabilities[i].number;
		if (data[CAP_TO_INDEX(number)].effective & CAP_TO_MASK(number))
			continue;
		fprintf(err,
			"sluice: %s is missing (it %s): run as root, or add it to the "
			"service's AmbientCapabilities\n",
			capabilities[i].name, capabilities[i].why);
		problems++;
	}
	return problems;
}

/* Runs `attempt` in a child process, whose namespaces end with it. 0 or -errno. */
static int try_in_child(int (*attempt)(void))
{
	int status;
	pid_t pid;

	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid)
		_exit(-attempt() & 0xff);
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

static int mount_bpffs(void)
{
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("bpf", "/proc", "bpf", 0, NULL))
		return -errno;
	return 0;
}

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

static int probe_bpffs(FILE *err)
{
	int error;

	if (is_bpffs(BPFFS_SYSTEM) || is_bpffs(BPFFS_OWN))
		return 0;
	error = try_in_child(mount_bpffs);
	if (!error)
		return 0;
	fprintf(err,
		"sluice: no bpf file system is mounted at " BPFFS_SYSTEM " or " BPFFS_OWN
		", and mounting one fails (%s): mount -t bpf bpf " BPFFS_SYSTEM "\n",
		strerror(-error));
	return 1;
}

/* True when any enum of the kernel has a value of that name. */
static bool has_enum_value(const struct btf *btf, const char *name)
{
	uint32_t id, n = btf__type_cnt(btf);
	const struct btf_type *type;
	int i;

	for (id = 1; id < n; id++) {
		type = btf__type_by_id(btf, id);
		if (!btf_is_enum(type))
			continue;
		for (i = 0; i < btf_vlen(type); i++) {
			if (!strcmp(btf__name_by_offset(btf, btf_enum(type)[i].name_off), name))
				return true;
		}
	}
	return false;
}

static int probe_btf(FILE *err)
{
	struct btf *btf = btf__parse(VMLINUX_BTF, NULL);
	int problems = 0;
	size_t i;

	if (!btf) {
		fprintf(err,
			"sluice: cannot read " VMLINUX_BTF " (%s): a kernel with "
			"CONFIG_DEBUG_INFO_BTF=y is needed\n",
			strerror(errno));
		return 1;
	}
	for (i = 0; i < sizeof(kfuncs) / sizeof(kfuncs[0]); i++) {
		if (btf__find_by_name_kind(btf, kfuncs[i].name, BTF_KIND_FUNC) > 0)
			continue;
		fprintf(err, "sluice: the kernel has no kfunc %s: %s is needed\n", kfuncs[i].name,
			kfuncs[i].needs);
		problems++;
	}
	if (!has_enum_value(btf, "BPF_FIB_LOOKUP_MARK")) {
		fprintf(err, "sluice: bpf_fib_lookup of this kernel has no flag "
			     "BPF_FIB_LOOKUP_MARK: Linux 6.10 or later is needed\n");
		problems++;
	}
	btf__free(btf);
	return problems;
}

/* fd of a loaded program, or -errno. */
static int load_insns(const struct bpf_insn *insns, size_t n)
{
	int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "sluice_probe", "GPL", insns, n, NULL);

	return fd < 0 ? -errno : fd;
}

static int make_tcx_link(void)
{
	int fd;

	fd = load_insns(pass_insns, sizeof(pass_insns) / sizeof(pass_insns[0]));
	if (fd < 0)
		return fd;
	if (unshare(CLONE_NEWNET))
		return -errno;
	/* Both fds end with the process. */
	if (bpf_link_create(fd, LO_IFINDEX, (enum bpf_attach_type)TCX_ATTACH_INGRESS, NULL) < 0)
		return -errno;
	return 0;
}

static int probe_insns(const struct bpf_insn *insns, size_t n, const char *what, const char *needs,
		       FILE *err)
{
	int fd = load_insns(insns, n);

	if (fd >= 0) {
		close(fd);
		return 0;
	}
	fprintf(err, "sluice: the kernel refuses %s (%s): %s is needed\n", what, strerror(-fd),
		needs);
	return 1;
}

static int probe_programs(FILE *err)
{
	int error, problems;
	size_t i;

	problems = probe_insns(pass_insns, sizeof(pass_insns) / sizeof(pass_insns[0]),
			       "TC programs", "CONFIG_NET_CLS_ACT=y and CONFIG_BPF_SYSCALL=y", err);
	if (problems)
		return problems;

	problems += probe_insns(may_goto_insns, sizeof(may_goto_insns) / sizeof(may_goto_insns[0]),
				"the instruction may_goto", "Linux 6.9 or later", err);
	problems += probe_insns(cmpxchg_insns, sizeof(cmpxchg_insns) / sizeof(cmpxchg_insns[0]),
				"an atomic compare and exchange",
				"Linux 5.12 or later with CONFIG_BPF_JIT=y", err);
	for (i = 0; i < sizeof(helpers) / sizeof(helpers[0]); i++) {
		if (libbpf_probe_bpf_helper(BPF_PROG_TYPE_SCHED_CLS, helpers[i].id, NULL) == 1)
			continue;
		fprintf(err,
			"sluice: the kernel has no helper %s for TC programs: Linux 6.10 or "
			"later with CONFIG_INET=y and CONFIG_IPV6=y is needed\n",
			helpers[i].name);
		problems++;
	}

	error = try_in_child(make_tcx_link);
	if (error) {
		fprintf(err,
			"sluice: no tcx link can be made on lo of a new network namespace "
			"(%s): Linux 6.6 or later with CONFIG_NET_XGRESS=y is needed\n",
			strerror(-error));
		problems++;
	}
	return problems;
}

int probe_machine(FILE *err)
{
	int problems, missing;

	fflush(NULL); /* children must not inherit lines that are not written yet */
	missing = probe_capabilities(err);
	problems = missing + probe_btf(err);
	/* Without capabilities everything below fails for that reason alone. */
	if (!missing)
		problems += probe_bpffs(err) + probe_programs(err);
	return problems;
}

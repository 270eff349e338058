// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The command line. `-c FILE` comes right after the command's name. Exit codes: 0 done, 1 the
 * request failed, 2 usage. What the commands do is in gateway.c, gateway_unload.c and status.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin.h"
#include "config.h"
#include "gateway.h"
#include "log.h"
#include "status.h"

#define DEFAULT_CONFIG "/etc/sluice/sluice.ini"
#ifndef SLUICE_VERSION
#define SLUICE_VERSION "0.1.0"
#endif

enum exit_code { EXIT_USAGE = 2 };

static const char usage_text[] =
	"usage: sluice COMMAND [-c FILE] [OPTION...]\n"
	"\n"
	"  run [-v]         load FILE into the kernel, serve, stay in the foreground\n"
	"  check            read FILE and print what is wrong with it\n"
	"  status [--json]  flows, hits, misses by reason, backends\n"
	"  reload           make the running daemon read FILE again\n"
	"  unload           take everything away that `run` has put into the kernel\n"
	"  version          print the version\n"
	"  help             print this text\n"
	"\n"
	"FILE is " DEFAULT_CONFIG " unless `-c FILE` stands right after the command.\n";

struct arguments {
	const char *config;
	char **rest;
	int n_rest;
};

static int usage(const char *what, const char *word)
{
	fprintf(stderr, "sluice: %s%s%s\n\n%s", what, word ? ": " : "", word ? word : "",
		usage_text);
	return EXIT_USAGE;
}

/* True when the options are exactly none, or `option` once (then *given). */
static bool has_only(const struct arguments *args, const char *option, bool *given)
{
	if (args->n_rest == 1 && option && !strcmp(args->rest[0], option)) {
		*given = true;
		return true;
	}
	return args->n_rest == 0;
}

static int command_run(const struct arguments *args)
{
	bool is_verbose = false;

	if (!has_only(args, "-v", &is_verbose))
		return usage("run: unknown argument", args->rest[args->n_rest - 1]);
	if (is_verbose)
		log_set_verbose(1);
	return gateway_run(args->config);
}

static int command_check(const struct arguments *args)
{
	struct config *config;

	if (!has_only(args, NULL, NULL))
		return usage("check: unknown argument", args->rest[0]);
	if (config_load(args->config, &config, stderr))
		return EXIT_FAILURE;
	config_warn(config, stderr);
	config_free(config);
	printf("%s: ok\n", args->config);
	return EXIT_SUCCESS;
}

static int command_status(const struct arguments *args)
{
	bool as_json = false;

	if (!has_only(args, "--json", &as_json))
		return usage("status: unknown argument", args->rest[args->n_rest - 1]);
	return status_print(args->config, as_json);
}

static int command_reload(const struct arguments *args)
{
	struct config *config;
	int result;

	if (!has_only(args, NULL, NULL))
		return usage("reload: unknown argument", args->rest[0]);
	if (config_load(args->config, &config, stderr)) {
		fprintf(stderr, "%s: not reloaded, the old configuration goes on serving\n",
			args->config);
		return EXIT_FAILURE;
	}
	result = admin_request(config->gateway.admin, "reload", stderr);
	if (result < 0)
		fprintf(stderr, "no daemon answers at %s (%s): is `sluice run -c %s` running?\n",
			config->gateway.admin, strerror(-result), args->config);
	config_free(config);
	return result ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int command_unload(const struct arguments *args)
{
	if (!has_only(args, NULL, NULL))
		return usage("unload: unknown argument", args->rest[0]);
	return gateway_unload(args->config);
}

static int command_version(const struct arguments *args)
{
	(void)args;
	puts("sluice " SLUICE_VERSION);
	return EXIT_SUCCESS;
}

static int command_help(const struct arguments *args)
{
	(void)args;
	fputs(usage_text, stdout);
	return EXIT_SUCCESS;
}

static const struct command {
	const char *name;
	int (*run)(const struct arguments *args);
} commands[] = {
	{ "run", command_run },	      { "check", command_check },
	{ "status", command_status }, { "reload", command_reload },
	{ "unload", command_unload }, { "version", command_version },
	{ "help", command_help },     { "--version", command_version },
	{ "--help", command_help },
};

int main(int argc, char **argv)
{
	struct arguments args = { .config = DEFAULT_CONFIG };
	size_t i;

	if (argc < 2)
		return usage("a command is missing", NULL);
	args.rest = argv + 2;
	args.n_rest = argc - 2;
	if (args.n_rest > 0 && !strcmp(args.rest[0], "-c")) {
		if (args.n_rest < 2)
			return usage("-c needs a file", NULL);
		args.config = args.rest[1];
		args.rest += 2;
		args.n_rest -= 2;
	}
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(&args);
	}
	return usage("unknown command", argv[1]);
}

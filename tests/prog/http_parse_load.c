// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Loads http_parse.bpf.o, checks what the parsers say about a few messages, and prints the
 * verifier's work and the run time of each program.
 * usage: http_parse_load OBJECT [REPEAT]   (root; nothing is pinned or attached)
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAYLOAD_OFF 54
#define INSNS_MAX 50000 /* of a million: leaves room for the programs that call the parsers */

#define PROGRAMS_MAX 8

static char logs[PROGRAMS_MAX][1 << 16]; /* of the verifier, a program each */

static const char get_small[] = "GET /hit HTTP/1.1\r\nHost: gw.test\r\n\r\n";
static const char get_browser[] =
	"GET /components/header HTTP/1.1\r\n"
	"Host: shop.example\r\n"
	"Connection: keep-alive\r\n"
	"sec-ch-ua: \"Chromium\";v=\"124\", \"Google Chrome\";v=\"124\", "
	"\"Not-A.Brand\";v=\"99\"\r\n"
	"sec-ch-ua-mobile: ?0\r\n"
	"sec-ch-ua-platform: \"Linux\"\r\n"
	"Upgrade-Insecure-Requests: 1\r\n"
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
	"Chrome/124.0.0.0 Safari/537.36\r\n"
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,"
	"image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7\r\n"
	"Sec-Fetch-Site: none\r\n"
	"Sec-Fetch-Mode: navigate\r\n"
	"Sec-Fetch-User: ?1\r\n"
	"Sec-Fetch-Dest: document\r\n"
	"Accept-Encoding: gzip, deflate, br, zstd\r\n"
	"Accept-Language: en-US,en;q=0.9\r\n"
	"\r\n";

static const char response_node[] = "HTTP/1.1 200 OK\r\n"
				    "X-Powered-By: Express\r\n"
				    "Content-Type: text/html; charset=utf-8\r\n"
				    "Content-Length: 12345\r\n"
				    "ETag: W/\"3039-ZTc1Yzk0NGJiOGU2\"\r\n"
				    "Date: Thu, 20 Nov 2025 17:52:00 GMT\r\n"
				    "Connection: keep-alive\r\n"
				    "Keep-Alive: timeout=5\r\n"
				    "\r\n";
static const char chunks_few[] = "5\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n";

struct run {
	const char *prog;
	const char *message;
	int want; /* enum http_result or enum http_body_result; -1: not checked */
};

static const struct run runs[] = {
	{ "copy_only", get_browser, -1 },
	{ "parse_request", get_small, 1 },
	{ "parse_request", get_browser, 1 },
	{ "parse_request", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 1 },
	{ "parse_request", "GET http://a/%2e HTTP/1.1\r\nHost: A:80\r\nX-1: \t\xff\r\n\r\n", 1 },
	{ "parse_request", "GET / HTTP/1.1\r\nHost: a\r\n", 0 },
	{ "parse_request", "GET / HTTP/1.1\r\nHost: [::x]\r\n\r\n", 2 },
	{ "parse_request", "GET / HTTP/1.1\r\nHost: a\r\nX y: z\r\n\r\n", 2 },
	{ "parse_response", response_node, 1 },
	{ "parse_response", "HTTP/1.1 2x0 OK\r\n\r\n", 2 },
	{ "walk_chunks", chunks_few, 1 },
	{ "walk_chunks", "5\r\nhel", 0 },
	{ "walk_chunks", "5\nhello", 2 },
};

/* Sends `message` behind PAYLOAD_OFF zero bytes through the program. Returns 0 when it agreed. */
static int run_one(struct bpf_object *obj, const struct run *run, int repeat)
{
	static unsigned char packet[20000];
	size_t len = strlen(run->message);
	struct bpf_program *prog;
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	int err;

	prog = bpf_object__find_program_by_name(obj, run->prog);
	memset(packet, 0, PAYLOAD_OFF);
	memcpy(packet + PAYLOAD_OFF, run->message, len);
	opts.data_in = packet;
	opts.data_size_in = PAYLOAD_OFF + len;
	opts.repeat = repeat;
	err = bpf_prog_test_run_opts(bpf_program__fd(prog), &opts);
	if (err) {
		fprintf(stderr, "%s: test run: %s\n", run->prog, strerror(-err));
		return 1;
	}
	printf("%-15s %5zu bytes -> %d, %u ns\n", run->prog, len, opts.retval, opts.duration);
	return run->want >= 0 && opts.retval != (unsigned int)run->want;
}

/* Lets the verifier write a log of level BPF_LOG_STATS for each program. */
static void log_stats(struct bpf_object *obj)
{
	struct bpf_program *prog;
	int i = 0;

	bpf_object__for_each_program(prog, obj)
	{
		if (i == PROGRAMS_MAX)
			break;
		bpf_program__set_log_buf(prog, logs[i++], sizeof(logs[0]));
		bpf_program__set_log_level(prog, 4);
	}
}

/* Prints how many instructions the verifier processed. Returns how many programs are too large. */
static int print_stats(struct bpf_object *obj)
{
	struct bpf_program *prog;
	int i = 0, too_large = 0;
	unsigned long insns;
	const char *at;

	bpf_object__for_each_program(prog, obj)
	{
		if (i == PROGRAMS_MAX)
			break;
		at = strstr(logs[i++], "processed ");
		insns = at ? strtoul(at + strlen("processed "), NULL, 10) : 0;
		printf("%-15s %lu instructions processed\n", bpf_program__name(prog), insns);
		too_large += insns == 0 || insns > INSNS_MAX;
	}
	return too_large;
}

static struct bpf_object *load(const char *path)
{
	struct bpf_object *obj = bpf_object__open_file(path, NULL);
	int err, i;

	if (!obj) {
		fprintf(stderr, "%s: cannot be opened\n", path);
		return NULL;
	}
	log_stats(obj);
	err = bpf_object__load(obj);
	if (!err)
		return obj;
	fprintf(stderr, "%s: load: %s\n", path, strerror(-err));
	for (i = 0; i < PROGRAMS_MAX; i++)
		fputs(logs[i], stderr);
	bpf_object__close(obj);
	return NULL;
}

int main(int argc, char **argv)
{
	int repeat = argc > 2 ? atoi(argv[2]) : 1000;
	struct bpf_object *obj;
	int failed;
	size_t i;

	if (argc < 2) {
		fprintf(stderr, "usage: %s OBJECT [REPEAT]\n", argv[0]);
		return 2;
	}
	obj = load(argv[1]);
	if (!obj)
		return 1;
	failed = print_stats(obj);
	for (i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
		failed += run_one(obj, &runs[i], repeat);
	bpf_object__close(obj);
	printf("%s\n", failed ? "FAILED" : "ok");
	return failed ? 1 : 0;
}

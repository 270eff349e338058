// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Words of the network: endpoints, CIDRs, marks, names of interfaces and namespaces. IPv4 addresses
 * are kept in their mapped form (RFC 4291, 2.5.5.2). Looks at no machine: probe.c does.
 */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "config_parse.h"

#define PID_MAX (1 << 22) /* the kernel's PID_MAX_LIMIT */
#define NETNS_BYTES 255

static void map_ipv4(struct in6_addr *addr, const struct in_addr *ipv4)
{
	memset(addr, 0, sizeof(*addr));
	addr->s6_addr[10] = 0xff;
	addr->s6_addr[11] = 0xff;
	memcpy(&addr->s6_addr[12], ipv4, sizeof(*ipv4));
}

/* Returns what is wrong with the text of an address, or NULL and the address. */
static const char *read_address(const char *text, bool is_ipv4, struct in6_addr *addr)
{
	struct in_addr ipv4;

	if (is_ipv4) {
		if (inet_pton(AF_INET, text, &ipv4) != 1)
			return "has no IPv4 address before the port";
		map_ipv4(addr, &ipv4);
		return NULL;
	}
	if (inet_pton(AF_INET6, text, addr) != 1)
		return "has no IPv6 address in the brackets";
	return IN6_IS_ADDR_V4MAPPED(addr) ? "is IPv4 in the form of IPv6" : NULL;
}

/* Where neither a client can send to nor a server can listen alone; NULL: none of these. */
static const char *address_fault(const struct endpoint *endpoint)
{
	const uint8_t *bytes = endpoint->addr.s6_addr;

	if (endpoint->is_ipv4 && (bytes[12] == 0 || bytes[12] >= 224))
		return "is not the address of one host";
	if (IN6_IS_ADDR_UNSPECIFIED(&endpoint->addr) || IN6_IS_ADDR_MULTICAST(&endpoint->addr))
		return "is not the address of one host";
	return IN6_IS_ADDR_LINKLOCAL(&endpoint->addr) ? "is link-local" : NULL;
}

static const char *read_port(const char *text, uint16_t *port)
{
	uint32_t number;

	if (!isdigit((unsigned char)*text) || parse_number(text, &number) || number < 1 ||
	    number > UINT16_MAX)
		return "has a bad port";
	*port = (uint16_t)number;
	return NULL;
}

/* `text` is cut where the address ends. */
static const char *read_endpoint(char *text, struct endpoint *out)
{
	char *colon;
	const char *fault;

	out->is_ipv4 = *text != '[';
	colon = strchr(text, out->is_ipv4 ? ':' : ']');
	if (!out->is_ipv4 && !colon)
		return "has no ']'";
	if (!out->is_ipv4)
		*colon++ = '\0';
	if (!colon || *colon != ':' || !colon[1])
		return "has no port";
	if (strchr(colon + 1, ':'))
		return "has too many colons";
	*colon = '\0';
	fault = read_address(text + !out->is_ipv4, out->is_ipv4, &out->addr);
	return fault ? fault : read_port(colon + 1, &out->port);
}

int value_endpoint(const struct value *value, bool may_be_any, struct endpoint *out)
{
	struct endpoint endpoint = { 0 };
	char *copy = config_strdup(value->text);
	const char *fault = read_endpoint(copy, &endpoint);

	free(copy);
	if (!fault && !may_be_any)
		fault = address_fault(&endpoint);
	if (fault)
		return value_error(value,
				   "'%s' %s (allowed: ADDRESS:PORT, as in 192.0.2.1:80 or "
				   "[2001:db8::1]:80)",
				   value->text, fault);
	*out = endpoint;
	return 0;
}

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && IN6_ARE_ADDR_EQUAL(&a->addr, &b->addr);
}

const char *endpoint_text(const struct endpoint *endpoint, char buf[ENDPOINT_TEXT_BYTES])
{
	char addr[INET6_ADDRSTRLEN] = "";
	const void *ipv4 = &endpoint->addr.s6_addr[12];

	inet_ntop(endpoint->is_ipv4 ? AF_INET : AF_INET6,
		  endpoint->is_ipv4 ? ipv4 : &endpoint->addr, addr, sizeof(addr));
	snprintf(buf, ENDPOINT_TEXT_BYTES, endpoint->is_ipv4 ? "%s:%u" : "[%s]:%u", addr,
		 endpoint->port);
	return buf;
}

static bool has_host_bits(const struct cidr *cidr)
{
	unsigned int bit;

	for (bit = cidr->prefixlen; bit < 128; bit++)
		if (cidr->addr.s6_addr[bit / 8] & (0x80 >> bit % 8))
			return true;
	return false;
}

/* `text` is cut at the slash. A plain address is a network of one. */
static const char *read_cidr(char *text, struct cidr *out)
{
	char *slash = strchr(text, '/');
	struct in_addr ipv4;
	uint32_t len, max;

	if (slash)
		*slash++ = '\0';
	if (inet_pton(AF_INET, text, &ipv4) == 1) {
		map_ipv4(&out->addr, &ipv4);
		max = 32;
	} else if (inet_pton(AF_INET6, text, &out->addr) == 1) {
		max = 128;
	} else {
		return "has no address before the prefix length";
	}
	len = max;
	if (slash && (!isdigit((unsigned char)*slash) || parse_number(slash, &len) || len > max))
		return "has a bad prefix length";
	out->prefixlen = (uint8_t)(128 - max + len);
	return has_host_bits(out) ? "has bits set behind the prefix" : NULL;
}

int value_cidr(const struct value *value, struct cidr *out)
{
	struct cidr cidr = { 0 };
	char *copy = config_strdup(value->text);
	const char *fault = read_cidr(copy, &cidr);

	free(copy);
	if (fault)
		return value_error(value,
				   "'%s' %s (allowed: NETWORK/LENGTH or an address, as in "
				   "10.0.0.0/8, fd00::/8 or 192.0.2.1)",
				   value->text, fault);
	*out = cidr;
	return 0;
}

const char *cidr_text(const struct cidr *cidr, char buf[CIDR_TEXT_BYTES])
{
	bool is_ipv4 = cidr->prefixlen >= 96 && IN6_IS_ADDR_V4MAPPED(&cidr->addr);
	char addr[INET6_ADDRSTRLEN] = "";

	inet_ntop(is_ipv4 ? AF_INET : AF_INET6, &cidr->addr.s6_addr[is_ipv4 ? 12 : 0], addr,
		  sizeof(addr));
	snprintf(buf, CIDR_TEXT_BYTES, "%s/%d", addr, cidr->prefixlen - (is_ipv4 ? 96 : 0));
	return buf;
}

/* Returns NULL, or what is wrong with BASE/MASK. `text` is cut at the slash. */
static const char *read_mark(char *text, uint32_t *base, uint32_t *mask)
{
	char *slash = strchr(text, '/');

	if (!slash)
		return "has no mask";
	*slash = '\0';
	if (parse_number(text, base) || parse_number(slash + 1, mask))
		return "is not two numbers of 32 bits";
	if (!*mask)
		return "has the mask 0: it would match every packet";
	if (!*base)
		return "has the base 0: it would match packets without a mark";
	return *base & ~*mask ? "has bits in the base that are not in the mask" : NULL;
}

int value_mark(const struct value *value, uint32_t *base, uint32_t *mask)
{
	char *copy = config_strdup(value->text);
	uint32_t new_base = 0, new_mask = 0;
	const char *fault = read_mark(copy, &new_base, &new_mask);

	free(copy);
	if (fault)
		return value_error(value,
				   "'%s' %s (allowed: BASE/MASK, as in 0x5c000000/0xff000000)",
				   value->text, fault);
	*base = new_base;
	*mask = new_mask;
	return 0;
}

/* The kernel's dev_valid_name(), and no control characters (the file has none). */
static bool is_interface(const char *text)
{
	size_t len = strlen(text);

	return len && len < IFNAMSIZ && !text[strcspn(text, "/: \t")] && strcmp(text, ".") &&
	       strcmp(text, "..");
}

int value_interface(const struct value *value, char **out)
{
	if (!is_interface(value->text))
		return value_error(value,
				   "'%s' is not an interface name (allowed: 1 to %d bytes without "
				   "'/', ':' and blanks)",
				   value->text, IFNAMSIZ - 1);
	*out = config_strdup(value->text);
	return 0;
}

static bool is_netns(const char *text)
{
	size_t len = strlen(text);
	uint32_t pid;

	if (!strncmp(text, "pid:", 4))
		return isdigit((unsigned char)text[4]) && !parse_number(text + 4, &pid) && pid &&
		       pid <= PID_MAX;
	return len && len <= NETNS_BYTES && !text[strcspn(text, "/ \t")] && strcmp(text, ".") &&
	       strcmp(text, "..");
}

int value_netns(const struct value *value, char **out)
{
	if (!is_netns(value->text))
		return value_error(value,
				   "'%s' is not a network namespace (allowed: a name under "
				   "/run/netns, or pid:N with N from 1 to %d)",
				   value->text, PID_MAX);
	*out = config_strdup(value->text);
	return 0;
}

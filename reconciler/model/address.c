#include "reconciler/model/address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *cb_address_mac(struct cb_arena *arena, const char *text)
{
	char *out = cb_arena_strdup(arena, text);

	if (strlen(text) != strlen("52:54:00:12:34:56"))
		return NULL;
	for (size_t i = 0; text[i]; i++) {
		if (i % 3 == 2 ? text[i] != ':' : !strchr("0123456789abcdefABCDEF", text[i]))
			return NULL;
		if (text[i] >= 'A' && text[i] <= 'F')
			out[i] = (char)(text[i] - 'A' + 'a');
	}
	/* The lowest bit of the first byte stands for a group. */
	return strchr("13579bdf", out[1]) || strcmp(out, "00:00:00:00:00:00") == 0 ? NULL : out;
}

static const char *print(struct cb_arena *arena, uint32_t address)
{
	return cb_arena_printf(arena, "%u.%u.%u.%u", address >> 24, (address >> 16) & 255,
			       (address >> 8) & 255, address & 255);
}

/* Four numbers of up to 255 without leading zeros: those are octal for some readers. */
static bool parse(const char *text, uint32_t *out)
{
	*out = 0;
	for (int i = 0; i < 4; i++) {
		size_t digits = strspn(text, "0123456789");
		unsigned number = 0;

		if (digits == 0 || digits > 3 || (digits > 1 && *text == '0'))
			return false;
		for (; digits > 0; digits--)
			number = number * 10 + (unsigned)(*text++ - '0');
		if (number > 255 || *text++ != (i < 3 ? '.' : '\0'))
			return false;
		*out = *out << 8 | number;
	}
	return true;
}

const char *cb_address_ip(struct cb_arena *arena, const char *text)
{
	uint32_t address;

	return parse(text, &address) ? print(arena, address) : NULL;
}

static bool parse_cidr(const char *text, uint32_t *network, unsigned *bits)
{
	const char *slash = strchr(text, '/');
	char address[16], *end;

	if (!slash || (size_t)(slash - text) >= sizeof(address) || slash[1] < '1' || slash[1] > '9')
		return false;
	(void)snprintf(address, sizeof(address), "%.*s", (int)(slash - text), text);
	*bits = (unsigned)strtoul(slash + 1, &end, 10);
	if (*end || end - slash > 3 || *bits < 8 || *bits > 30 || !parse(address, network))
		return false;
	*network &= UINT32_MAX << (32 - *bits);
	return true;
}

const char *cb_address_cidr(struct cb_arena *arena, const char *text)
{
	uint32_t network;
	unsigned bits;

	if (!parse_cidr(text, &network, &bits))
		return NULL;
	return cb_arena_printf(arena, "%s/%u", print(arena, network), bits);
}

bool cb_address_in(const char *cidr, const char *ip)
{
	uint32_t network, address;
	unsigned bits;

	if (!parse_cidr(cidr, &network, &bits) || !parse(ip, &address))
		return false;
	return (address & (UINT32_MAX << (32 - bits))) == network && address != network &&
	       address != (network | (UINT32_MAX >> bits));
}

int cb_address_compare(const char *left, const char *right)
{
	uint32_t a = 0, b = 0;

	(void)parse(left, &a);
	(void)parse(right, &b);
	return (a > b) - (a < b);
}

const char *cb_address_nth(struct cb_arena *arena, const char *cidr, int n)
{
	uint32_t network = 0;
	unsigned bits = 30;

	if (!parse_cidr(cidr, &network, &bits))
		return NULL;
	return print(arena, n < 0 ? (network | (UINT32_MAX >> bits)) - (uint32_t)(-n - 1)
				  : network + (uint32_t)n);
}

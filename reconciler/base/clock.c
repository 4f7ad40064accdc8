#include "reconciler/base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "reconciler/base/error.h"

uint64_t cb_clock_ms(void)
{
	struct timespec ts;

	CB_ASSERT(clock_gettime(CLOCK_MONOTONIC, &ts) == 0);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int64_t cb_clock_now(void)
{
	struct timespec ts;

	CB_ASSERT(clock_gettime(CLOCK_REALTIME, &ts) == 0);
	return ts.tv_sec;
}

void cb_clock_format(int64_t when, char out[CB_TIME_SIZE])
{
	time_t t = (time_t)when;
	struct tm tm = {0};

	if (!gmtime_r(&t, &tm) || strftime(out, CB_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		(void)snprintf(out, CB_TIME_SIZE, "?");
}

void cb_clock_sleep_ms(unsigned ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	(void)nanosleep(&ts, NULL);
}

void cb_random_bytes(void *out, size_t len)
{
	unsigned char *p = out;

	while (len > 0) {
		ssize_t n = getrandom(p, len, 0);

		if (n < 0) {
			CB_ASSERT(errno == EINTR);
			continue;
		}
		p += n;
		len -= (size_t)n;
	}
}

void cb_random_uuid(char out[CB_UUID_SIZE])
{
	unsigned char b[16];

	cb_random_bytes(b, sizeof(b));
	cb_uuid_format(b, out);
}

void cb_uuid_format(unsigned char b[16], char out[CB_UUID_SIZE])
{
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	(void)snprintf(out, CB_UUID_SIZE,
		       "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
		       b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
		       b[13], b[14], b[15]);
}

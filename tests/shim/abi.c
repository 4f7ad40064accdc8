/*
 * Do the trampolines carry every kind of call? Compiled twice: with -DLIBRARY into something that
 * calls itself libvirt, whose functions have signatures stranger than libvirt's; without it into
 * the program that calls them. To the shim a name is all there is, so the real names can be
 * borrowed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <execinfo.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct two_words {
	long a, b;
};

struct two_doubles {
	double a, b;
};

typedef long callback(long);

/* 6 words in registers, 16 on the stack, 8 doubles */
long virDomainCreate(long a1, long a2, long a3, long a4, long a5, long a6, double d1, double d2,
		     double d3, double d4, double d5, double d6, double d7, double d8, long s1,
		     long s2, long s3, long s4, long s5, long s6, long s7, long s8, long s9,
		     long s10, long s11, long s12, long s13, long s14, long s15, long s16);
int virDomainReboot(char *out, size_t n, const char *format, ...);
struct two_words virDomainReset(long a, long b);
struct two_doubles virDomainResume(double a, double b);
int virDomainSuspend(void);
long virDomainRename(callback *f, long n);
int virDomainShutdown(void);
int virDomainGetInfo(long a, long b, long c, long d, long e, long f, long g);

#ifdef LIBRARY

long virDomainCreate(long a1, long a2, long a3, long a4, long a5, long a6, double d1, double d2,
		     double d3, double d4, double d5, double d6, double d7, double d8, long s1,
		     long s2, long s3, long s4, long s5, long s6, long s7, long s8, long s9,
		     long s10, long s11, long s12, long s13, long s14, long s15, long s16)
{
	long words[] = {a1, a2, a3, a4, a5,  a6,  s1,  s2,  s3,  s4,  s5,
			s6, s7, s8, s9, s10, s11, s12, s13, s14, s15, s16};
	double doubles[] = {d1, d2, d3, d4, d5, d6, d7, d8};

	for (int i = 0; i < 22; i++)
		if (words[i] != i + 1)
			return 0;
	for (int i = 0; i < 8; i++)
		if (fabs(doubles[i] - (i + 0.5)) > 1e-9)
			return 0;
	return 0x123456789abcdef0;
}

int virDomainReboot(char *out, size_t n, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int r = vsnprintf(out, n, format, args);
	va_end(args);
	return r;
}

struct two_words virDomainReset(long a, long b)
{
	return (struct two_words){b, a};
}

struct two_doubles virDomainResume(double a, double b)
{
	return (struct two_doubles){b, a};
}

int virDomainSuspend(void)
{
	for (;;)
		pause();
}

long virDomainRename(callback *f, long n)
{
	return f(n) + 1;
}

int virDomainShutdown(void)
{
	void *frames[64];

	errno = errno == 41 ? 42 : 0;
	return backtrace(frames, 64);
}

int virDomainGetInfo(long a, long b, long c, long d, long e, long f, long g)
{
	return a == 1 && b == 2 && c == 3 && d == 4 && e == 5 && f == 6 && g == 7;
}

#else

static int failed;

static void check(const char *what, int good)
{
	if (!good)
		failed = 1;
	printf("%s: %s\n", what, good ? "ok" : "WRONG");
}

static long deeper(long n)
{
	return n ? virDomainRename(deeper, n - 1) : 0;
}

static int cleaned;

static void clean(void *unused)
{
	(void)unused;
	cleaned = 1;
}

static void *cancelled(void *unused)
{
	(void)unused;
	pthread_cleanup_push(clean, NULL);
	virDomainSuspend();
	pthread_cleanup_pop(0);
	return NULL;
}

int main(void)
{
	char text[64];
	pthread_t thread;

	check("words and doubles", virDomainCreate(1, 2, 3, 4, 5, 6, 0.5, 1.5, 2.5, 3.5, 4.5, 5.5,
						   6.5, 7.5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
						   17, 18, 19, 20, 21, 22) == 0x123456789abcdef0);
	virDomainReboot(text, sizeof(text), "%d %.1f %s %ld %ld %ld %.1f", 1, 2.5, "three", 4L, 5L,
			6L, 7.5);
	check("variadic", !strcmp(text, "1 2.5 three 4 5 6 7.5"));
	struct two_words words = virDomainReset(1, 2);
	check("two words back", words.a == 2 && words.b == 1);
	struct two_doubles doubles = virDomainResume(1.5, 2.5);
	check("two doubles back", fabs(doubles.a - 2.5) < 1e-9 && fabs(doubles.b - 1.5) < 1e-9);
	check("recursion", virDomainRename(deeper, 50) == 51);
	errno = 41;
	int frames = virDomainShutdown();
	check("errno in and out", errno == 42);
	check("stack can be walked", frames >= 4);
	check("uncounted call", virDomainGetInfo(1, 2, 3, 4, 5, 6, 7));
	pthread_create(&thread, NULL, cancelled, NULL);
	usleep(100000);
	pthread_cancel(thread);
	pthread_join(thread, NULL);
	check("cancelled within", cleaned);
	return failed;
}

#endif

/*
 * Processes that open files as fast as they can, for guard.test.ts.
 *
 *     openers DIRECTORY COUNT MILLISECONDS [NAME]
 *
 * Each opens DIRECTORY/allow and DIRECTORY/deny in turn, or NAME only, for as long; at least once. One line
 * on stdout: opens, opens of "deny" that succeeded, opens of others that failed, longest wait in us.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct tally { long opens, passed, failed, longest; };

static long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void open_one(struct tally *tally, const char *directory, const char *name)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	long start = now();
	int fd = open(path, O_RDONLY);
	long waited = now() - start;
	int denied = strncmp(name, "deny", 4) == 0;
	tally->opens++;
	if (fd >= 0 && denied) tally->passed++;
	if (fd < 0 && !denied) tally->failed++;
	if (waited > tally->longest) tally->longest = waited;
	if (fd >= 0) close(fd);
}

int main(int argc, char **argv)
{
	if (argc < 4) return 2;
	int count = atoi(argv[2]);
	long end = now() + atol(argv[3]) * 1000;
	struct tally *all = mmap(NULL, count * sizeof(*all), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < count; i++) {
		if (fork() != 0) continue;
		for (long n = 0; n == 0 || now() < end; n++) {
			open_one(&all[i], argv[1], argc > 4 ? argv[4] : n % 2 ? "deny" : "allow");
		}
		_exit(0);
	}
	while (wait(NULL) > 0);
	struct tally sum = { 0 };
	for (int i = 0; i < count; i++) {
		sum.opens += all[i].opens;
		sum.passed += all[i].passed;
		sum.failed += all[i].failed;
		if (all[i].longest > sum.longest) sum.longest = all[i].longest;
	}
	printf("%ld %ld %ld %ld\n", sum.opens, sum.passed, sum.failed, sum.longest);
	return 0;
}

/* Sets the wall clock of one process. Preloaded; compiled by the tests.
 *
 * AHEAD=PATH  a file with the seconds that the wall clock is ahead of the machine's, read each time it is asked for
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long seconds_ahead(void) {
    const char *path = getenv("AHEAD");
    int file = path ? syscall(SYS_openat, AT_FDCWD, path, O_RDONLY) : -1;
    if (file < 0) return 0;
    char text[32] = "";
    syscall(SYS_read, file, text, sizeof text - 1);
    syscall(SYS_close, file);
    return strtol(text, NULL, 10);
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    int failed = syscall(SYS_clock_gettime, clock, at);
    if (!failed && clock == CLOCK_REALTIME) at->tv_sec += seconds_ahead();
    return failed;
}

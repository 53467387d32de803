/* Makes one call of the daemon's fail, and writes down what it does afterwards. Preloaded; compiled by the tests.
 *
 * FAULT=CALL:FILE:N:ERRNO  the N-th CALL (fdatasync, fsync or pwrite) on a file of that name fails, once, without being made
 * FAULT_LOG=PATH           a line for that failure, and for each such call on such a file behind it
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_long calls;
static char want_call[16], want_file[64];
static long want_number, want_errno;

__attribute__((constructor)) static void read_orders(void) {
    const char *orders = getenv("FAULT");
    if (orders) sscanf(orders, "%15[^:]:%63[^:]:%ld:%ld", want_call, want_file, &want_number, &want_errno);
}

static int is_wanted(int fd) {
    char link[64], path[512];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    const char *name = strrchr(path, '/');
    return name && strcmp(name + 1, want_file) == 0;
}

static void note(const char *what) {
    const char *path = getenv("FAULT_LOG");
    int log = path ? syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
    if (log < 0) return;
    /* With one call: threads note at once. */
    char line[32];
    int length = snprintf(line, sizeof line, "%s\n", what);
    syscall(SYS_write, log, line, (size_t)length);
    syscall(SYS_close, log);
}

/* Whether this call is the one that is to fail; what comes behind it is noted. */
static int fails(const char *call, int fd) {
    if (!want_number || strcmp(call, want_call) != 0 || !is_wanted(fd)) return 0;
    long number = atomic_fetch_add(&calls, 1) + 1;
    if (number < want_number) return 0;
    note(number == want_number ? "failed" : "again");
    if (number > want_number) return 0;
    errno = want_errno;
    return 1;
}

int fdatasync(int fd) { return fails("fdatasync", fd) ? -1 : syscall(SYS_fdatasync, fd); }

int fsync(int fd) { return fails("fsync", fd) ? -1 : syscall(SYS_fsync, fd); }

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    return fails("pwrite", fd) ? -1 : syscall(SYS_pwrite64, fd, bytes, count, at);
}

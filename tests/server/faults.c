/* What a machine may do to a program, on a test's orders: the clock is wrong, or call n to the disk fails.
 *
 * Loaded before everything else (LD_PRELOAD). FAULTS names a file with the orders, which both sides map: see faults.py.
 * A clock that nobody can set (CLOCK_MONOTONIC) is left alone, and so is what is not a file: pipes and sockets. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum kind { WRITE = 1, SYNC = 2, NAME = 4 };

static struct { int64_t seconds_wrong, kinds, calls, fail_at, error; } none, *orders = (void *)&none;

__attribute__((constructor)) static void begin(void) {
  int file = open(getenv("FAULTS"), O_RDWR | O_CLOEXEC);
  void *mapped = mmap(NULL, sizeof none, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (mapped == MAP_FAILED) abort();
  close(file);
  orders = mapped;
}

static int fails(enum kind kind) {
  if (!(orders->kinds & kind)) return 0;
  if (__atomic_add_fetch(&orders->calls, 1, __ATOMIC_SEQ_CST) != orders->fail_at) return 0;
  errno = (int)orders->error;
  return 1;
}

static int is_file(int fd) {
  struct stat about;
  return fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define STEP(type, name, is_one, parameters, arguments) \
  type name parameters { return (is_one) ? -1 : REAL(name) arguments; }

STEP(ssize_t, write, is_file(fd) && fails(WRITE), (int fd, const void *data, size_t size), (fd, data, size))
STEP(ssize_t, pwrite, fails(WRITE), (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
STEP(ssize_t, pwrite64, fails(WRITE), (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at))
STEP(int, ftruncate, fails(WRITE), (int fd, off_t size), (fd, size))
STEP(int, ftruncate64, fails(WRITE), (int fd, off64_t size), (fd, size))
STEP(int, fsync, fails(SYNC), (int fd), (fd))
STEP(int, fdatasync, fails(SYNC), (int fd), (fd))
STEP(int, rename, fails(NAME), (const char *from, const char *to), (from, to))
STEP(int, unlink, fails(NAME), (const char *path), (path))
STEP(int, mkdir, fails(NAME), (const char *path, mode_t mode), (path, mode))

int clock_gettime(clockid_t clock, struct timespec *now) {
  int failed = REAL(clock_gettime)(clock, now);
  if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) now->tv_sec += orders->seconds_wrong;
  return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  int failed = REAL(gettimeofday)(now, zone);
  now->tv_sec += orders->seconds_wrong;
  return failed;
}

time_t time(time_t *result) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (result) *result = now.tv_sec;
  return now.tv_sec;
}

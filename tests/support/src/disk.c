/* A disk that fails on demand: preloaded into a process, it lets writes below a path fail while a byte of a file says how. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

static const volatile char *state; /* '0': all is well; 'F': full; 'E': errors; 'R': read-only */
static const char *below;

__attribute__((constructor)) static void begin(void) {
  const char *control = getenv("FAILING_DISK_CONTROL");
  below = getenv("FAILING_DISK_BELOW");
  if (!control || !below) return;
  int fd = open(control, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  void *map = mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (map != MAP_FAILED) state = map;
}

static int fault(void) {
  switch (state ? *state : '0') {
    case 'F': return ENOSPC;
    case 'E': return EIO;
    case 'R': return EROFS;
    default: return 0;
  }
}

static int concerned(const char *path) { return strncmp(path, below, strlen(below)) == 0; }

static int fault_of(int fd) {
  char link[64], path[4096];
  int error = fault(), kept = errno;
  if (!error) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  errno = kept;
  if (length < 0) return 0;
  path[length] = 0;
  return concerned(path) ? error : 0;
}

#define CHECKED(result, name, fd, params, args)                  \
  result name params {                                           \
    static result(*real) params;                                 \
    if (!real) real = (result(*) params)dlsym(RTLD_NEXT, #name); \
    int error = fault_of(fd);                                    \
    if (error) { errno = error; return -1; }                     \
    return real args;                                            \
  }

CHECKED(ssize_t, write, fd, (int fd, const void *from, size_t n), (fd, from, n))
CHECKED(ssize_t, pwrite, fd, (int fd, const void *from, size_t n, off_t at), (fd, from, n, at))
CHECKED(ssize_t, pwrite64, fd, (int fd, const void *from, size_t n, off64_t at), (fd, from, n, at))
CHECKED(int, ftruncate, fd, (int fd, off_t n), (fd, n))
CHECKED(int, ftruncate64, fd, (int fd, off64_t n), (fd, n))
CHECKED(int, fsync, fd, (int fd), (fd))
CHECKED(int, fdatasync, fd, (int fd), (fd))

/* A file cannot be opened for writing on a read-only disk, and no file can be made on a full one. */
static int fault_of_open(const char *path, int flags) {
  int error = fault();
  if (!error || !concerned(path)) return 0;
  if (error == EROFS) return (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT) ? EROFS : 0;
  return (flags & O_CREAT) && access(path, F_OK) != 0 ? error : 0;
}

#define OPENING(name)                                                        \
  int name(const char *path, int flags, ...) {                               \
    static int (*real)(const char *, int, ...);                              \
    if (!real) real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name); \
    va_list rest;                                                            \
    va_start(rest, flags);                                                   \
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                                            \
    int error = fault_of_open(path, flags);                                  \
    if (error) { errno = error; return -1; }                                 \
    return real(path, flags, mode);                                          \
  }

OPENING(open)
OPENING(open64)

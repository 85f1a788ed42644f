// Preloaded into a process: while the file that FAIL_DISK_ERRNO names holds a number, writes, cuts and syncs of the
// database that FAIL_DISK names, and of the files beside it, fail with it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int wanted(void) {
  char text[16] = {0};
  int file = open(getenv("FAIL_DISK_ERRNO"), O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  return length > 0 ? atoi(text) : 0;
}

static int fails(int file) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  const char *database = getenv("FAIL_DISK");
  if (strncmp(path, database, strlen(database)) || !strcmp(path + strlen(database), "-shm")) return 0;
  int number = wanted();
  if (number) errno = number;
  return number;
}

#define REAL(name, type) ((type)dlsym(RTLD_NEXT, name))

int fsync(int file) { return fails(file) ? -1 : REAL("fsync", int (*)(int))(file); }
int fdatasync(int file) { return fails(file) ? -1 : REAL("fdatasync", int (*)(int))(file); }
int ftruncate(int file, off_t length) {
  return fails(file) ? -1 : REAL("ftruncate", int (*)(int, off_t))(file, length);
}
int ftruncate64(int file, off_t length) {
  return fails(file) ? -1 : REAL("ftruncate64", int (*)(int, off_t))(file, length);
}
ssize_t pwrite(int file, const void *bytes, size_t length, off_t offset) {
  return fails(file) ? -1 : REAL("pwrite", ssize_t (*)(int, const void *, size_t, off_t))(file, bytes, length, offset);
}
ssize_t pwrite64(int file, const void *bytes, size_t length, off_t offset) {
  if (fails(file)) return -1;
  return REAL("pwrite64", ssize_t (*)(int, const void *, size_t, off_t))(file, bytes, length, offset);
}

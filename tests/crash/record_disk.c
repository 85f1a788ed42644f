// Preloaded into a process: writes down, in the file that RECORD_LOG names, what it asks of the disk for the database
// that RECORD_DISK names, in order: writes before they are made, syncs once they have returned. Each record: kind,
// file, offset, length, then the bytes.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int log_file = -1;
static char database[PATH_MAX], directory[PATH_MAX];
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void open_log(void) {
  log_file = open(getenv("RECORD_LOG"), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (log_file < 0) _exit(97);
  snprintf(database, sizeof database, "%s", getenv("RECORD_DISK"));
  snprintf(directory, sizeof directory, "%s", database);
  *strrchr(directory, '/') = 0;
}

static char named(const char *path) {
  size_t length = strlen(database);
  if (!strcmp(path, directory)) return '.';
  if (strncmp(path, database, length)) return 0;
  if (!path[length]) return 'd';
  if (!strcmp(path + length, "-wal")) return 'w';
  return strcmp(path + length, "-journal") ? 0 : 'j';
}

static char opened(int file) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return named(path);
}

static void put(const void *bytes, size_t length) {
  for (const char *at = bytes; length;) {
    ssize_t done = write(log_file, at, length);
    if (done <= 0) _exit(98);
    at += done;
    length -= done;
  }
}

static void record(char kind, char file, int64_t offset, const void *bytes, int64_t length) {
  char head[18] = {kind, file};
  memcpy(head + 2, &offset, 8);
  memcpy(head + 10, &length, 8);
  put(head, sizeof head);
  if (bytes) put(bytes, length);
}

static int synced(const char *name, int file) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  char which = opened(file);
  if (!which) return real(file);
  pthread_mutex_lock(&turn);
  int result = real(file);
  if (!result) record('s', which, 0, NULL, 0);
  pthread_mutex_unlock(&turn);
  return result;
}

static ssize_t written(const char *name, int file, const void *bytes, size_t length, off_t offset) {
  ssize_t (*real)(int, const void *, size_t, off_t) =
      (ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, name);
  char which = opened(file);
  if (!which) return real(file, bytes, length, offset);
  pthread_mutex_lock(&turn);
  record('w', which, offset, bytes, length);
  ssize_t result = real(file, bytes, length, offset);
  pthread_mutex_unlock(&turn);
  if (result != (ssize_t)length) _exit(99);  // what was recorded is not what was done
  return result;
}

static int cut(const char *name, int file, off_t length) {
  int (*real)(int, off_t) = (int (*)(int, off_t))dlsym(RTLD_NEXT, name);
  char which = opened(file);
  if (!which) return real(file, length);
  pthread_mutex_lock(&turn);
  record('t', which, length, NULL, 0);
  int result = real(file, length);
  pthread_mutex_unlock(&turn);
  return result;
}

int fsync(int file) { return synced("fsync", file); }
int fdatasync(int file) { return synced("fdatasync", file); }
ssize_t pwrite(int file, const void *bytes, size_t length, off_t offset) {
  return written("pwrite", file, bytes, length, offset);
}
ssize_t pwrite64(int file, const void *bytes, size_t length, off_t offset) {
  return written("pwrite64", file, bytes, length, offset);
}
int ftruncate(int file, off_t length) { return cut("ftruncate", file, length); }
int ftruncate64(int file, off_t length) { return cut("ftruncate64", file, length); }

int unlink(const char *path) {
  int (*real)(const char *) = (int (*)(const char *))dlsym(RTLD_NEXT, "unlink");
  char which = named(path);
  if (!which) return real(path);
  pthread_mutex_lock(&turn);
  record('u', which, 0, NULL, 0);
  int result = real(path);
  pthread_mutex_unlock(&turn);
  return result;
}

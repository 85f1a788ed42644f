// Preloaded into a process: counts its fsync and fdatasync calls in the file that COUNT_SYNCS names, eight bytes of it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static long *count;

__attribute__((constructor)) static void open_count(void) {
  int file = open(getenv("COUNT_SYNCS"), O_RDWR);
  if (file < 0) _exit(97);
  count = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (count == MAP_FAILED) _exit(98);
}

static int counted(const char *name, int file) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  __atomic_fetch_add(count, 1, __ATOMIC_SEQ_CST);
  return real(file);
}

int fsync(int file) { return counted("fsync", file); }
int fdatasync(int file) { return counted("fdatasync", file); }

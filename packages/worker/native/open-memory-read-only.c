/*
 * Preloaded into QEMU: opens the file of a machine's memory read-only. QEMU
 * before 8.2 opens it for writing although it maps it privately, and a file that
 * many machines are restored from must not be open for writing in any of them.
 * OPENCOMPUTER_MEMORY_FILE names the file; QEMU opens it by one of these two
 * functions. No header is included, so that no package with headers is needed.
 */
char *getenv(const char *name);
int strcmp(const char *left, const char *right);
int openat64(int directory, const char *path, int flags, unsigned mode);

enum { WORKING_DIRECTORY = -100 /* AT_FDCWD */, ACCESS_MODE = 3 /* O_ACCMODE */ };

int open64(const char *path, int flags, unsigned mode) {
  const char *memory = getenv("OPENCOMPUTER_MEMORY_FILE");
  if (memory != 0 && strcmp(path, memory) == 0) flags &= ~ACCESS_MODE;
  return openat64(WORKING_DIRECTORY, path, flags, mode);
}

int __open64_2(const char *path, int flags) { return open64(path, flags, 0); }

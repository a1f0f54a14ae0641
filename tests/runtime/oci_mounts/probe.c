// Attempts that a shell can't make. Static: it runs in a root that holds nothing else. Exit 0: the attempt succeeded.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int fail(const char* what) {
  perror(what);
  return 1;
}

/// A copy of this program in memory, run with the argument `true`. By its /proc link, or with AT_EMPTY_PATH.
static int run_from_memory(int by_link) {
  const int self = open("/proc/self/exe", O_RDONLY), copy = (int)syscall(SYS_memfd_create, "copy", 0);
  if (self < 0 || copy < 0) return fail("memfd_create");
  static char buffer[1 << 16];
  for (ssize_t n; (n = read(self, buffer, sizeof buffer)) > 0;)
    if (write(copy, buffer, (size_t)n) != n) return fail("write");
  char* argv[] = {"copy", "true", NULL};
  char* envp[] = {NULL};
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", copy);
  if (by_link)
    execve(link, argv, envp);
  else
    syscall(SYS_execveat, copy, "", argv, envp, 0x1000 /* AT_EMPTY_PATH */);
  return fail("execve");
}

static int connect_to(const char* path) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  strncpy(a.sun_path, path, sizeof a.sun_path - 1);
  const int s = socket(AF_UNIX, SOCK_STREAM, 0);
  return s < 0 || connect(s, (struct sockaddr*)&a, sizeof a) != 0 ? fail("connect") : 0;
}

/// `count` processes at the same time, each waiting for the end of its input.
static int processes(int count) {
  int ends[2];
  if (pipe(ends) != 0) return fail("pipe");
  int made = 0;
  for (; made < count; ++made) {
    const pid_t child = fork();
    if (child < 0) break;
    if (child == 0) {
      close(ends[1]);
      char c;
      _exit((int)read(ends[0], &c, 1));
    }
  }
  close(ends[1]);
  while (wait(NULL) > 0) {
  }
  return made == count ? 0 : 1;
}

static int allocate(size_t mebibytes) {
  const size_t size = mebibytes << 20;
  char* p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return fail("mmap");
  for (size_t i = 0; i < size; i += 4096) p[i] = 1;
  return p[size - 1] == 1;
}

static int open_files(int count) {
  for (int i = 0; i < count; ++i)
    if (open("/proc/self/exe", O_RDONLY) < 0) return fail("open");
  return 0;
}

static void report(const char* verb, const char* path, int done) { printf("%s %s %d\n", verb, path, done); }

static int opens(const char* path, int flags) {
  const int fd = open(path, flags, 0777);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

/// A program of the tree, which holds copies of this one.
static int runs(const char* path) {
  const pid_t child = fork();
  if (child == 0) {
    execl(path, path, "true", (char*)NULL);
    _exit(126);
  }
  int status = 1;
  waitpid(child, &status, 0);
  return status == 0;
}

/// Every verb once in each directory of a tree whose directories are a and b: `f` is read and written, `p` executed,
/// `g` deleted, `n` created.
static void walk(const char* directory, int depth) {
  char path[4096];
  report("list", directory, opens(directory, O_RDONLY | O_DIRECTORY));
  snprintf(path, sizeof path, "%s/n", directory);
  report("create", path, opens(path, O_CREAT | O_EXCL | O_WRONLY));
  snprintf(path, sizeof path, "%s/f", directory);
  report("read", path, opens(path, O_RDONLY));
  report("modify", path, opens(path, O_WRONLY));
  snprintf(path, sizeof path, "%s/p", directory);
  report("exec", path, runs(path));
  snprintf(path, sizeof path, "%s/g", directory);
  report("delete", path, unlink(path) == 0);
  for (const char* name = "ab"; depth > 0 && *name != 0; ++name) {
    snprintf(path, sizeof path, "%s/%c", directory, *name);
    walk(path, depth - 1);
  }
}

/// Moves every directory that can be moved out of the way and puts an own one, with the same files, in its place.
static void replace(const char* directory, int depth) {
  char path[4096], away[4100];
  for (const char* name = "ab"; depth > 0 && *name != 0; ++name) {
    snprintf(path, sizeof path, "%s/%c", directory, *name);
    snprintf(away, sizeof away, "%s/away-%c", directory, *name);
    const int moved = rename(path, away) == 0;
    mkdir(path, 0777);
    strcat(path, "/p");
    strcat(away, "/p");
    if (moved) rename(away, path);
    path[strlen(path) - 2] = 0;
    replace(path, depth - 1);
  }
  for (const char* name = "fg"; *name != 0; ++name) {
    snprintf(path, sizeof path, "%s/%c", directory, *name);
    opens(path, O_CREAT | O_EXCL | O_WRONLY);
  }
  snprintf(path, sizeof path, "%s/n", directory);
  unlink(path);
}

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const char* what = argv[1];
  const char* with = argc > 2 ? argv[2] : "";
  if (strcmp(what, "true") == 0) return 0;
  if (strcmp(what, "root") == 0) return geteuid() == 0 ? 0 : 1;
  if (strcmp(what, "memory-link") == 0) return run_from_memory(1);
  if (strcmp(what, "memory-empty-path") == 0) return run_from_memory(0);
  if (strcmp(what, "connect") == 0) return connect_to(with);
  if (strcmp(what, "processes") == 0) return processes(atoi(with));
  if (strcmp(what, "allocate") == 0) return allocate((size_t)atoi(with));
  if (strcmp(what, "files") == 0) return open_files(atoi(with));
  if (strcmp(what, "walk") == 0) {
    umask(0);
    walk(with, 3);
    fflush(stdout);
    replace(with, 3);
    puts("replaced");
    walk(with, 3);
    return 0;
  }
  return 2;
}

// attempts FILE: runs one attempt a line, each in a child of its own, and prints "<outcome>" for each: ok, or the name
// of the errno. Static, for any root and as the first process of a virtual machine. A line is `verb argument...`:
//   read, list, exec, write, truncate, chmod, create, mkdir, sock, fifo, symlink, unlink, rmdir PATH
//   rename, link FROM TO; connect, bind PORT (127.0.0.1); mptcp, fastopen PORT; abstract NAME; unix PATH; signal PID; udp PORT
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int done(int fd) { return fd < 0 ? errno : 0; }

static int inet(int type, int protocol, const char* port, int binds) {
  int fd = socket(AF_INET, type, protocol);
  if (fd < 0) return errno;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int got = binds ? bind(fd, (struct sockaddr*)&to, sizeof to) : connect(fd, (struct sockaddr*)&to, sizeof to);
  return got == 0 || errno == ECONNREFUSED ? 0 : errno;  // nobody listens: the attempt was not held back
}

/// A connection that sendto(2) makes: no connect(2), and the sysctl's bit 1 alone decides whether a client may.
static int fastopen(const char* port) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) return errno;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ssize_t got = sendto(fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, (struct sockaddr*)&to, sizeof to);
  return got >= 0 || errno == ECONNREFUSED || errno == EPIPE ? 0 : errno;
}

static int local(const char* name, int abstract) {
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0) return errno;
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  size_t n = strlen(name);
  memcpy(to.sun_path + abstract, name, n);
  int got = connect(fd, (struct sockaddr*)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + abstract + n));
  return got == 0 || errno == ECONNREFUSED ? 0 : errno;
}

static int attempt(char** w) {
  const char *verb = w[0], *a = w[1] ? w[1] : "", *b = w[2] ? w[2] : "";
  if (!strcmp(verb, "read")) return done(open(a, O_RDONLY | O_NONBLOCK));
  if (!strcmp(verb, "list")) return done(open(a, O_RDONLY | O_DIRECTORY));
  if (!strcmp(verb, "write")) return done(open(a, O_WRONLY));
  if (!strcmp(verb, "truncate")) return done(truncate(a, 0));
  if (!strcmp(verb, "chmod")) return done(chmod(a, 0600));
  if (!strcmp(verb, "create")) return done(open(a, O_WRONLY | O_CREAT | O_EXCL, 0600));
  if (!strcmp(verb, "mkdir")) return done(mkdir(a, 0700));
  if (!strcmp(verb, "sock")) return done(mknod(a, S_IFSOCK | 0600, 0));
  if (!strcmp(verb, "fifo")) return done(mkfifo(a, 0600));
  if (!strcmp(verb, "symlink")) return done(symlink("x", a));
  if (!strcmp(verb, "unlink")) return done(unlink(a));
  if (!strcmp(verb, "rmdir")) return done(rmdir(a));
  if (!strcmp(verb, "rename")) return done(rename(a, b));
  if (!strcmp(verb, "link")) return done(link(a, b));
  if (!strcmp(verb, "connect")) return inet(SOCK_STREAM, 0, a, 0);
  if (!strcmp(verb, "bind")) return inet(SOCK_STREAM, 0, a, 1);
  if (!strcmp(verb, "mptcp")) return inet(SOCK_STREAM, 262, a, 0);
  if (!strcmp(verb, "fastopen")) return fastopen(a);
  if (!strcmp(verb, "udp")) return inet(SOCK_DGRAM, 0, a, 0);
  if (!strcmp(verb, "abstract")) return local(a, 1);
  if (!strcmp(verb, "unix")) return local(a, 0);
  if (!strcmp(verb, "signal")) return done(kill(atoi(a), 0));
  if (!strcmp(verb, "exec")) {
    char* argv[] = {(char*)a, (char*)"--nothing", NULL};
    execve(a, argv, NULL);
    return errno;
  }
  return ENOSYS;
}

int main(int argc, char** argv) {
  if (argc == 2 && !strcmp(argv[1], "--nothing")) return 0;
  FILE* in = argc > 1 ? fopen(argv[1], "r") : NULL;
  if (!in) {
    perror(argc > 1 ? argv[1] : "attempts");
    return 2;
  }
  char line[4096];
  while (fgets(line, sizeof line, in)) {
    char* words[4] = {0};
    int n = 0;
    for (char* w = strtok(line, " \n"); w && n < 3; w = strtok(NULL, " \n")) words[n++] = w;
    if (!n) continue;
    pid_t child = fork();
    if (child == 0) _exit(attempt(words));
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
      puts("lost");
    else
      puts(WEXITSTATUS(status) ? strerrorname_np(WEXITSTATUS(status)) : "ok");
    fflush(stdout);
  }
  return 0;
}

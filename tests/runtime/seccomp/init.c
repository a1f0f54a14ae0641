/* Process 1 of a machine that does one thing: `foreign WAY` (its argument) over every filter in /, then it switches itself off. */
#include <stdio.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char** argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  puts("BEGIN");
  for (int n = 0;; ++n) {
    char filter[32], vectors[32];
    snprintf(filter, sizeof filter, "/%d.bpf", n);
    snprintf(vectors, sizeof vectors, "/%d.txt", n);
    if (access(filter, R_OK) != 0) break;
    const pid_t pid = fork();
    if (pid == 0) {
      execl("/foreign", "foreign", argc > 1 ? argv[1] : "kernel", filter, vectors, (char*)NULL);
      _exit(127);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    printf("RESULT %d %d\n", n, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  }
  puts("END");
  reboot(RB_POWER_OFF);
  return 0;
}

// Makes the system calls named by its arguments, each `number:arg0:arg1:…` in hexadecimal, and prints the errno of each
// (0: it succeeded). An argument `@text` is the address of a string.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    unsigned long words[7] = {0};
    char* rest = argv[i];
    for (int w = 0; w < 7 && rest; ++w) {
      char* word = strsep(&rest, ":");
      words[w] = word[0] == '@' ? (unsigned long)(word + 1) : strtoul(word, NULL, 16);
    }
    errno = 0;
    const long result = syscall((long)words[0], words[1], words[2], words[3], words[4], words[5], words[6]);
    printf("%d\n", result < 0 ? errno : 0);
  }
  return 0;
}

/* A program that does nothing: no library, one call. */
#include <sys/syscall.h>

void _start(void) {
#if defined(__x86_64__)
  __asm__ volatile("syscall" : : "a"(SYS_exit_group), "D"(0));
#else
#error only where the tests run
#endif
  __builtin_unreachable();
}

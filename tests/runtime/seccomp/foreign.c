/* Filters on the machine that they are made for, which may be another one than the tests run on: static, and built by that
 * machine's own compiler and headers.
 *
 *   foreign interpret FILTER VECTORS   the filter by an interpreter that reads struct sock_filter and struct seccomp_data
 *                                      as this machine's headers have them: what can be done where nothing can be loaded
 *   foreign kernel FILTER VECTORS      by the kernel, beneath an outer filter that answers every other call with TRACE:
 *                                      what the filter lets through is ENOSYS then, and nothing runs
 *   foreign i386 FILTER VECTORS        the same by int $0x80 (x86_64 only)
 *   foreign interpret-i386 FILTER VECTORS   the interpreter, for calls of i386
 *
 * A line of VECTORS: the number, six arguments and the word that the filter must answer, in hexadecimal. Prints how many
 * agree; exits with 1 where one does not, with 77 where the kernel takes no filter or no int $0x80.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
#define HERE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define HERE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define HERE AUDIT_ARCH_RISCV64
#endif

enum { most = 200000 };

struct vector {
  uint32_t number, word;
  uint64_t arguments[6];
};

static struct sock_filter filter[4096];
static unsigned short length;
static struct vector* vectors;
static size_t count;

static uint32_t interpret(const struct seccomp_data* data) {
  uint32_t a = 0, x = 0, memory[BPF_MEMWORDS] = {0};
  for (unsigned at = 0; at < length; ++at) {
    const struct sock_filter* f = &filter[at];
    const uint32_t k = f->k, operand = BPF_SRC(f->code) == BPF_X ? x : k;
    switch (BPF_CLASS(f->code)) {
      case BPF_LD:
      case BPF_LDX: {
        uint32_t value = k;
        if (BPF_MODE(f->code) == BPF_ABS) memcpy(&value, (const char*)data + k, sizeof value);
        if (BPF_MODE(f->code) == BPF_MEM) value = memory[k];
        if (BPF_MODE(f->code) == BPF_LEN) value = sizeof *data;
        *(BPF_CLASS(f->code) == BPF_LD ? &a : &x) = value;
        break;
      }
      case BPF_ST:
        memory[k] = a;
        break;
      case BPF_STX:
        memory[k] = x;
        break;
      case BPF_ALU:
        switch (BPF_OP(f->code)) {
          case BPF_AND: a &= operand; break;
          case BPF_OR: a |= operand; break;
          case BPF_XOR: a ^= operand; break;
          case BPF_ADD: a += operand; break;
          case BPF_SUB: a -= operand; break;
          case BPF_LSH: a <<= operand; break;
          case BPF_RSH: a >>= operand; break;
          default: abort();
        }
        break;
      case BPF_JMP: {
        int yes;
        switch (BPF_OP(f->code)) {
          case BPF_JA: at += k; continue;
          case BPF_JEQ: yes = a == operand; break;
          case BPF_JGT: yes = a > operand; break;
          case BPF_JGE: yes = a >= operand; break;
          case BPF_JSET: yes = (a & operand) != 0; break;
          default: abort();
        }
        at += yes ? f->jt : f->jf;
        break;
      }
      case BPF_RET:
        return BPF_RVAL(f->code) == BPF_A ? a : k;
      default:
        if (BPF_MISCOP(f->code) == BPF_TAX) x = a; else a = x;
    }
  }
  abort();
}

static long make(const struct vector* v, int i386) {
#if defined(__x86_64__)
  if (i386) {
    long result;
    register uint64_t si __asm__("rsi") = v->arguments[3];
    register uint64_t di __asm__("rdi") = v->arguments[4];
    register uint64_t sixth __asm__("r12") = v->arguments[5];
    __asm__ volatile("push %%rbp; mov %[sixth], %%rbp; int $0x80; pop %%rbp"
                     : "=a"(result)
                     : "a"((uint64_t)v->number), "b"(v->arguments[0]), "c"(v->arguments[1]), "d"(v->arguments[2]), "r"(si),
                       "r"(di), [sixth] "r"(sixth)
                     : "memory", "cc", "r8", "r9", "r10", "r11");
    if (result >= 0 || result < -4095) return 0;
    errno = (int)-result;
    return -1;
  }
#endif
  (void)i386;
  return syscall((long)v->number, v->arguments[0], v->arguments[1], v->arguments[2], v->arguments[3], v->arguments[4],
                 v->arguments[5]);
}

static int load(struct sock_filter* code, unsigned short n) {
  struct sock_fprog program = {n, code};
  return syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0 ? 0 : errno;
}

struct shared {
  volatile size_t at;
  volatile int refused;
  volatile int errors[];
};

static void child(struct shared* s, int i386) {
  struct sock_filter outer[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_seccomp, 0, 1),
                                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE)};
  const struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  s->refused = load(outer, 4);
  if (!s->refused) s->refused = load(filter, length);
  if (s->refused) _exit(1);
  while (s->at < count) {
    errno = 0;
    s->errors[s->at] = make(&vectors[s->at], i386) < 0 ? errno : 0;
    s->at = s->at + 1;
  }
  __builtin_trap();
}

/* What an attempt shows of a word beneath the outer filter: an errno, or -1 for the end of the process. */
static int shows(uint32_t word) {
  switch (word & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
    case SECCOMP_RET_LOG:
    case SECCOMP_RET_TRACE:
      return ENOSYS;
    case SECCOMP_RET_ERRNO:
      return (int)(word & SECCOMP_RET_DATA);
    default:
      return -1;
  }
}

static size_t by_kernel(int i386) {
  struct shared* s = mmap(NULL, sizeof *s + count * sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (s == MAP_FAILED) exit(2);
  size_t agree = 0;
  while (s->at < count) {
    const size_t before = s->at;
    const pid_t pid = fork();
    if (pid == 0) child(s, i386);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    if (s->refused) {
      printf("the kernel takes no filter: %s\n", strerror(s->refused));
      exit(77);
    }
    if (s->at < count) { /* this call ended the process */
      s->errors[s->at] = WIFSIGNALED(status) && WTERMSIG(status) == 31 /* SIGSYS */ ? -1 : -2;
      s->at = s->at + 1;
    }
    if (s->at == before) exit(2);
  }
  for (size_t i = 0; i < count; ++i)
    if (s->errors[i] == shows(vectors[i].word))
      ++agree;
    else
      printf("number %u: word %#x, observed %d\n", vectors[i].number, vectors[i].word, s->errors[i]);
  return agree;
}

static size_t by_interpreter(uint32_t arch) {
  size_t agree = 0;
  for (size_t i = 0; i < count; ++i) {
    struct seccomp_data data = {(int)vectors[i].number, arch, 0, {0}};
    for (int n = 0; n < 6; ++n) data.args[n] = vectors[i].arguments[n];
    const uint32_t word = interpret(&data);
    if (word == vectors[i].word)
      ++agree;
    else
      printf("number %u: word %#x, not %#x\n", vectors[i].number, word, vectors[i].word);
  }
  return agree;
}

static int serves_i386(void) {
  const pid_t pid = fork();
  if (pid == 0) {
    const struct vector getpid_of_i386 = {20, 0, {0}};
    _exit(make(&getpid_of_i386, 1) < 0);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  FILE* file = fopen(argv[2], "rb");
  if (!file) return 2;
  length = (unsigned short)fread(filter, sizeof *filter, 4096, file);
  fclose(file);
  file = fopen(argv[3], "r");
  vectors = malloc(most * sizeof *vectors);
  if (!file || !vectors || !length) return 2;
  unsigned long long a[6];
  unsigned number, word;
  while (count < most && fscanf(file, "%x %llx %llx %llx %llx %llx %llx %x", &number, &a[0], &a[1], &a[2], &a[3], &a[4], &a[5],
                                &word) == 8) {
    vectors[count] = (struct vector){number, word, {a[0], a[1], a[2], a[3], a[4], a[5]}};
    ++count;
  }
  fclose(file);
  const int i386 = strcmp(argv[1], "i386") == 0;
  if (i386 && !serves_i386()) {
    puts("this kernel ends a process that uses int $0x80");
    return 77;
  }
  const size_t agree = strcmp(argv[1], "interpret") == 0        ? by_interpreter(HERE)
                       : strcmp(argv[1], "interpret-i386") == 0 ? by_interpreter(AUDIT_ARCH_I386)
                                                                : by_kernel(i386);
  printf("%zu of %zu agree\n", agree, count);
  return count && agree == count ? 0 : 1;
}

// Trials on mappings and other memory.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include <fstream>

#include "tests/unit/linux/mask_trials.hpp"

namespace agp::linux::trials {
namespace {

using u64 = std::uint64_t;
constexpr long page = 4096;

/// Permissions of the mapping at `address` as four letters of /proc/self/maps, packed.
long permissions(long address) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    unsigned long from = 0, to = 0;
    char letters[5] = {};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &from, &to, letters) != 3) continue;
    if (from <= static_cast<unsigned long>(address) && static_cast<unsigned long>(address) < to)
      return letters[0] << 24 | letters[1] << 16 | letters[2] << 8 | letters[3];
  }
  return -1;
}

/// Looks at the mapping that `result` is, and removes it.
long mapped(long result, const std::function<long(long)>& look) {
  if (result < 0 && result > -4096) return tried(result);
  const long outcome = look(result);
  munmap(reinterpret_cast<void*>(result), page);
  return outcome;
}

long anonymous() { return sys(SYS_mmap, 0, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }

/// The result of `call` on a fresh page.
template <typename Call>
std::function<long(u64)> on_a_page(Call call) {
  return [call](u64 v) { return mapped(anonymous(), [&](long at) { return call(at, v); }); };
}

int file_of(char letter) {
  const int fd = memfd_create("agp", 0);
  const std::string text(page, letter);
  return write(fd, text.data(), page) == page ? fd : -1;
}

std::vector<Trial> mappings() {
  static const int a = file_of('a'), b = file_of('b');
  return {
      {"mmap", "prot", PROT_READ, PROT_READ | PROT_WRITE,
       [](u64 v) { return mapped(sys(SYS_mmap, 0, page, v, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), permissions); }},
      {"mmap", "flags", MAP_PRIVATE | MAP_ANONYMOUS, MAP_SHARED | MAP_ANONYMOUS,
       [](u64 v) { return mapped(sys(SYS_mmap, 0, page, PROT_READ, v, -1, 0), permissions); }},
      {"mmap", "fd", static_cast<u64>(a), static_cast<u64>(b),
       [](u64 v) {
         return mapped(sys(SYS_mmap, 0, page, PROT_READ, MAP_PRIVATE, v, 0),
                       [](long at) { return long{*reinterpret_cast<char*>(at)}; });
       }},
      {"mmap", "offset", 0, page,
       [](u64 v) {
         return mapped(sys(SYS_mmap, 0, page, PROT_READ, MAP_PRIVATE, a, v), [](long at) {
           unsigned char resident = 0;
           return std::min(sys(SYS_mincore, at, page, &resident), long{0}) * 2 + resident;
         });
       }},
      {"mprotect", "prot", PROT_READ, PROT_READ | PROT_WRITE, on_a_page([](long at, u64 v) {
         const long result = sys(SYS_mprotect, at, page, v);
         return result < 0 ? result : permissions(at);
       })},
      {"pkey_mprotect", "pkey", ~0u, 77,
       on_a_page([](long at, u64 v) { return tried(sys(SYS_pkey_mprotect, at, page, PROT_READ, v)); })},
      {"remap_file_pages", "flags", 0, 0,
       [](u64 v) {
         const long at = sys(SYS_mmap, 0, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
         *reinterpret_cast<char*>(at + page) = 'z';
         const long result = sys(SYS_remap_file_pages, at, page, 0, 1, v);
         const long seen = *reinterpret_cast<char*>(at);
         munmap(reinterpret_cast<void*>(at), 2 * page);
         return result < 0 ? tried(result) : seen;
       }},
      {"mbind", "mode", 0, 0x55, on_a_page([](long at, u64 v) { return tried(sys(SYS_mbind, at, page, v, 0, 0, 0)); })},
      {"mremap", "flags", 0, 0x100, on_a_page([](long at, u64 v) {
         const long result = sys(SYS_mremap, at, page, page, v, 0);
         return result == at ? 0 : result;
       })},
      {"madvise", "advice", MADV_NORMAL, 0x7777,
       on_a_page([](long at, u64 v) { return sys(SYS_madvise, at, page, v); })},
      {"msync", "flags", MS_ASYNC, 0x100, on_a_page([](long at, u64 v) { return sys(SYS_msync, at, page, v); })},
      {"mseal", "flags", 0, 1, [](u64 v) { return in_child([v] { return tried(sys(462, anonymous(), page, v)); }); }},
      {"membarrier", "cmd", 0, 0x7000, [](u64 v) { return tried(sys(SYS_membarrier, v, 0, 0)); }},
      {"futex", "futex_op", 1, 127,
       [](u64 v) {
         int word = 0;
         return sys(SYS_futex, &word, v, 1, 0, 0, 0);
       }},
  };
}

/// Copies three bytes within this process.
template <typename Call>
long copied(Call call) {
  char from[3] = {'x', 'y', 'z'}, to[3] = {};
  iovec local = {to, 3}, remote = {from, 3};
  const long result = call(&local, &remote);
  return result < 0 ? tried(result) : result * 1000 + to[0];
}

std::vector<Trial> other_processes() {
  const long self = getpid();
  return {
      {"process_vm_readv", "liovcnt", 1, 0,
       [=](u64 v) {
         return copied([=](iovec* l, iovec* r) { return sys(SYS_process_vm_readv, self, l, v, r, 1, 0); });
       }},
      {"process_vm_readv", "riovcnt", 1, 0,
       [=](u64 v) {
         return copied([=](iovec* l, iovec* r) { return sys(SYS_process_vm_readv, self, l, 1, r, v, 0); });
       }},
      {"process_vm_readv", "flags", 0, 1,
       [=](u64 v) {
         return copied([=](iovec* l, iovec* r) { return sys(SYS_process_vm_readv, self, l, 1, r, 1, v); });
       }},
      {"process_vm_writev", "liovcnt", 1, 0,
       [=](u64 v) {
         return copied([=](iovec* l, iovec* r) { return sys(SYS_process_vm_writev, self, r, v, l, 1, 0); });
       }},
      {"process_madvise", "vlen", 1, 0, on_a_page([=](long at, u64 v) {
         const long pidfd = sys(SYS_pidfd_open, self, 0);
         iovec vector = {reinterpret_cast<void*>(at), page};
         const long result = tried(sys(SYS_process_madvise, pidfd, &vector, v, MADV_COLD, 0));
         close(static_cast<int>(pidfd));
         return result;
       })},
  };
}

}  // namespace

std::vector<Trial> memory_trials() {
  std::vector<Trial> all = mappings();
  for (Trial& trial : other_processes()) all.push_back(std::move(trial));
  return all;
}

}  // namespace agp::linux::trials

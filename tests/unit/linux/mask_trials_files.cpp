// Trials on files and descriptors: modes, flags, commands, vectors.
#include <fcntl.h>
#include <linux/openat2.h>
#include <mqueue.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

#include "tests/unit/linux/mask_trials.hpp"

namespace agp::linux::trials {
namespace {

using u64 = std::uint64_t;

long mode_of(const std::string& path) {
  struct stat st {};
  const long result = stat(path.c_str(), &st) == 0 ? st.st_mode & 07777 : -errno;
  if (unlink(path.c_str()) != 0) rmdir(path.c_str());
  return result;
}

std::string made_file() {
  const std::string path = fresh_path();
  close(open(path.c_str(), O_CREAT | O_WRONLY, 0600));
  return path;
}

/// The mode of the node that `make(path)` made, with no umask.
long made_mode(const std::function<long(const char*)>& make) {
  const std::string path = fresh_path();
  const mode_t before = umask(0);
  const long result = tried(make(path.c_str()));
  umask(before);
  if (result < 0) return result;
  if (result > 0) close(static_cast<int>(result));
  return mode_of(path);
}

long changed_mode(const std::function<long(const char*)>& change) {
  const std::string path = made_file();
  const long result = tried(change(path.c_str()));
  const long mode = mode_of(path);
  return result < 0 ? result : mode;
}

long closing(long fd, const std::function<long(int)>& look) {
  if (fd < 0) return tried(fd);
  const long result = look(static_cast<int>(fd));
  close(static_cast<int>(fd));
  return result;
}

long descriptor_flags(int fd) { return fcntl(fd, F_GETFD) | (fcntl(fd, F_GETFL) & O_NONBLOCK); }

/// A memory file that holds "abcdef", at its start.
int text_file() {
  static const int fd = [] {
    const int made = memfd_create("agp", 0);
    return write(made, "abcdef", 6) == 6 ? made : -1;
  }();
  lseek(fd, 0, SEEK_SET);
  return fd;
}

/// Bytes transferred and the first of them, by readv and its relatives.
template <typename Call>
long read_with(Call call) {
  char buffer[3] = {};
  iovec vector = {buffer, sizeof buffer};
  const long result = call(&vector);
  return result < 0 ? result : result * 1000 + buffer[0];
}
template <typename Call>
long write_with(Call call) {
  char buffer[3] = {'x', 'y', 'z'};
  iovec vector = {buffer, sizeof buffer};
  return call(&vector);
}
int scratch() {
  static const int fd = memfd_create("agp", 0);
  return fd;
}

std::vector<Trial> modes() {
  constexpr u64 set_id = S_ISUID | S_ISGID | 0755, plain = 0755;
  const int fd = open(made_file().c_str(), O_WRONLY);
  return {
      {"chmod", "mode", set_id, plain,
       [](u64 v) { return changed_mode([v](const char* p) { return sys(SYS_chmod, p, v); }); }},
      {"fchmod", "mode", set_id, plain,
       [fd](u64 v) {
         struct stat st {};
         const long result = sys(SYS_fchmod, fd, v);
         return result < 0 || fstat(fd, &st) != 0 ? result : long{st.st_mode & 07777};
       }},
      {"fchmodat", "mode", set_id, plain,
       [](u64 v) { return changed_mode([v](const char* p) { return sys(SYS_fchmodat, AT_FDCWD, p, v); }); }},
      {"fchmodat2", "mode", set_id, plain,
       [](u64 v) { return changed_mode([v](const char* p) { return sys(452, AT_FDCWD, p, v, 0); }); }},
      {"open", "mode", set_id, plain,
       [](u64 v) { return made_mode([v](const char* p) { return sys(SYS_open, p, O_CREAT | O_WRONLY, v); }); }},
      {"openat", "mode", set_id, plain,
       [](u64 v) {
         return made_mode([v](const char* p) { return sys(SYS_openat, AT_FDCWD, p, O_CREAT | O_WRONLY, v); });
       }},
      {"creat", "mode", set_id, plain,
       [](u64 v) { return made_mode([v](const char* p) { return sys(SYS_creat, p, v); }); }},
      {"mkdir", "mode", S_ISVTX | 0755, plain,
       [](u64 v) { return made_mode([v](const char* p) { return sys(SYS_mkdir, p, v); }); }},
      {"mkdirat", "mode", S_ISVTX | 0755, plain,
       [](u64 v) { return made_mode([v](const char* p) { return sys(SYS_mkdirat, AT_FDCWD, p, v); }); }},
      {"mknod", "mode", S_IFREG | set_id, S_IFREG | plain,
       [](u64 v) { return made_mode([v](const char* p) { return sys(SYS_mknod, p, v, 0); }); }},
      {"mknodat", "mode", S_IFREG | set_id, S_IFREG | plain,
       [](u64 v) { return made_mode([v](const char* p) { return sys(SYS_mknodat, AT_FDCWD, p, v, 0); }); }},
      {"mknod", "dev", makedev(1, 3), makedev(1, 5),
       [](u64 v) {
         const std::string path = fresh_path();
         const long result = tried(sys(SYS_mknod, path.c_str(), S_IFCHR | 0600, v));
         struct stat st {};
         stat(path.c_str(), &st);
         unlink(path.c_str());
         return result < 0 ? result : static_cast<long>(st.st_rdev);
       }},
      {"mq_open", "mode", 0640, 0600,
       [](u64 v) {
         const std::string name = "agp-masks-" + std::to_string(getpid());
         return closing(sys(SYS_mq_open, name.c_str(), O_CREAT | O_EXCL | O_RDWR, v, 0), [&](int queue) {
           struct stat st {};
           fstat(queue, &st);
           sys(SYS_mq_unlink, name.c_str());
           return long{st.st_mode & 0777};
         });
       }},
      {"umask", "mask", 027, 022,
       [](u64 v) {
         const mode_t before = umask(0);
         sys(SYS_umask, v);
         return static_cast<long>(umask(before));
       }},
      {"access", "mode", R_OK, 0x100, [](u64 v) { return sys(SYS_access, "/", v); }},
      {"faccessat2", "flags", AT_EACCESS, 0x40, [](u64 v) { return tried(sys(439, AT_FDCWD, "/", R_OK, v)); }},
  };
}

std::vector<Trial> opening() {
  static open_how how{};
  how.flags = O_PATH;
  const auto flags_of = [](const std::function<long(u64)>& open_with) {
    return [open_with](u64 v) { return closing(open_with(v), descriptor_flags); };
  };
  return {
      {"open", "flags", O_RDONLY | O_NONBLOCK, O_RDONLY, flags_of([](u64 v) { return sys(SYS_open, "/", v, 0); })},
      {"openat", "flags", O_RDONLY | O_CLOEXEC, O_RDONLY,
       flags_of([](u64 v) { return sys(SYS_openat, AT_FDCWD, "/", v, 0); })},
      {"openat", "dirfd", static_cast<u64>(AT_FDCWD), static_cast<u64>(-7),
       [](u64 v) { return closing(sys(SYS_openat, v, ".", O_PATH, 0), [](int) { return 0L; }); }},
      {"openat2", "size", sizeof how, 1,
       [](u64 v) { return closing(sys(SYS_openat2, AT_FDCWD, "/", &how, v), [](int) { return 0L; }); }},
      {"dup3", "flags", O_CLOEXEC, 0, flags_of([](u64 v) { return sys(SYS_dup3, 0, 200, v); })},
      {"pipe2", "flags", O_CLOEXEC, 0,
       [](u64 v) {
         int ends[2];
         const long result = sys(SYS_pipe2, ends, v);
         if (result < 0) return result;
         close(ends[1]);
         return closing(ends[0], descriptor_flags);
       }},
      {"eventfd2", "flags", EFD_CLOEXEC, 0, flags_of([](u64 v) { return sys(SYS_eventfd2, 0, v); })},
      {"timerfd_create", "flags", TFD_CLOEXEC, 0, flags_of([](u64 v) { return sys(SYS_timerfd_create, 1, v); })},
      {"timerfd_create", "clockid", CLOCK_MONOTONIC, 99, flags_of([](u64 v) { return sys(SYS_timerfd_create, v, 0); })},
      {"epoll_create1", "flags", EPOLL_CLOEXEC, 0, flags_of([](u64 v) { return sys(SYS_epoll_create1, v); })},
      {"memfd_create", "flags", MFD_CLOEXEC, 0, flags_of([](u64 v) { return sys(SYS_memfd_create, "agp", v); })},
      {"inotify_init1", "flags", IN_CLOEXEC, 0, flags_of([](u64 v) { return sys(SYS_inotify_init1, v); })},
      {"close_range", "flags", 4, 8,
       [](u64 v) {
         const int fd = dup2(0, 201);
         const long result = tried(sys(SYS_close_range, fd, fd, v));
         const long flags = result < 0 ? result : fcntl(fd, F_GETFD);
         close(fd);
         return flags;
       }},
      {"renameat2", "flags", 1, 0,
       [](u64 v) {
         const std::string from = made_file(), to = made_file();
         const long result = sys(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), v);
         unlink(from.c_str());
         unlink(to.c_str());
         return result;
       }},
      {"unlinkat", "flags", AT_REMOVEDIR, 0,
       [](u64 v) {
         const std::string path = fresh_path();
         mkdir(path.c_str(), 0700);
         const long result = sys(SYS_unlinkat, AT_FDCWD, path.c_str(), v);
         rmdir(path.c_str());
         return result;
       }},
      {"statx", "mask", STATX_SIZE, 0x80000000,
       [](u64 v) {
         struct statx st {};
         return sys(SYS_statx, AT_FDCWD, "/", 0, v, &st);
       }},
  };
}

std::vector<Trial> commands() {
  static int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0 || write(ends[1], "abc", 3) != 3) return {};
  const auto waiting = [](u64 fd, u64 cmd) {
    int bytes = -1;
    const long result = sys(SYS_ioctl, fd, cmd, &bytes);
    return result < 0 ? result : long{bytes};
  };
  const u64 in = static_cast<u64>(ends[0]);
  return {
      {"ioctl", "cmd", FIONREAD, 0x12345, [=](u64 v) { return waiting(in, v); }},
      {"ioctl", "fd", in, 999, [=](u64 v) { return waiting(v, FIONREAD); }},
      {"fcntl", "cmd", F_GETFD, 0x7fff, [=](u64 v) { return sys(SYS_fcntl, in, v, 0); }},
      {"fcntl", "fd", in, 999, [](u64 v) { return sys(SYS_fcntl, v, F_GETFD, 0); }},
      {"lseek", "whence", SEEK_END, SEEK_SET, [](u64 v) { return sys(SYS_lseek, text_file(), 0, v); }},
      {"lseek", "offset", 2, 3, [](u64 v) { return sys(SYS_lseek, text_file(), v, SEEK_SET); }},
      {"write", "fd", static_cast<u64>(scratch()), 999, [](u64 v) { return sys(SYS_write, v, "a", 1); }},
  };
}

std::vector<Trial> vectors() {
  const u64 text = static_cast<u64>(text_file()), out = static_cast<u64>(scratch());
  return {
      {"readv", "fd", text, 999,
       [](u64 v) { return text_file(), read_with([=](iovec* io) { return sys(SYS_readv, v, io, 1); }); }},
      {"readv", "iovcnt", 1, 0,
       [](u64 v) { return read_with([=](iovec* io) { return sys(SYS_readv, text_file(), io, v); }); }},
      {"writev", "fd", out, 999,
       [](u64 v) { return write_with([=](iovec* io) { return sys(SYS_writev, v, io, 1); }); }},
      {"writev", "iovcnt", 1, 0,
       [](u64 v) { return write_with([=](iovec* io) { return sys(SYS_writev, scratch(), io, v); }); }},
      {"preadv", "fd", text, 999,
       [](u64 v) { return read_with([=](iovec* io) { return sys(SYS_preadv, v, io, 1, 2, 0); }); }},
      {"preadv", "iovcnt", 1, 0,
       [=](u64 v) { return read_with([=](iovec* io) { return sys(SYS_preadv, text, io, v, 2, 0); }); }},
      {"preadv", "pos_l", 2, 3,
       [=](u64 v) { return read_with([=](iovec* io) { return sys(SYS_preadv, text, io, 1, v, 0); }); }},
      {"preadv", "pos_h", 0, 0,
       [=](u64 v) { return read_with([=](iovec* io) { return sys(SYS_preadv, text, io, 1, 2, v); }); }},
      {"pwritev", "fd", out, 999,
       [](u64 v) { return write_with([=](iovec* io) { return sys(SYS_pwritev, v, io, 1, 0, 0); }); }},
      {"pwritev", "iovcnt", 1, 0,
       [=](u64 v) { return write_with([=](iovec* io) { return sys(SYS_pwritev, out, io, v, 0, 0); }); }},
      {"pwritev", "pos_h", 0, 0,
       [=](u64 v) { return write_with([=](iovec* io) { return sys(SYS_pwritev, out, io, 1, 0, v); }); }},
      {"preadv2", "fd", text, 999,
       [](u64 v) { return read_with([=](iovec* io) { return sys(SYS_preadv2, v, io, 1, 2, 0, 0); }); }},
      {"preadv2", "iovcnt", 1, 0,
       [=](u64 v) { return read_with([=](iovec* io) { return sys(SYS_preadv2, text, io, v, 2, 0, 0); }); }},
      {"preadv2", "pos_h", 0, 0,
       [=](u64 v) { return read_with([=](iovec* io) { return sys(SYS_preadv2, text, io, 1, 2, v, 0); }); }},
      {"preadv2", "flags", 0, 0x40000000,
       [=](u64 v) { return read_with([=](iovec* io) { return sys(SYS_preadv2, text, io, 1, 2, 0, v); }); }},
      {"pwritev2", "fd", out, 999,
       [](u64 v) { return write_with([=](iovec* io) { return sys(SYS_pwritev2, v, io, 1, 0, 0, 0); }); }},
      {"pwritev2", "iovcnt", 1, 0,
       [=](u64 v) { return write_with([=](iovec* io) { return sys(SYS_pwritev2, out, io, v, 0, 0, 0); }); }},
      {"pwritev2", "pos_h", 0, 0,
       [=](u64 v) { return write_with([=](iovec* io) { return sys(SYS_pwritev2, out, io, 1, 0, v, 0); }); }},
      {"vmsplice", "nr_segs", 1, 0,
       [](u64 v) {
         int ends[2];
         if (pipe(ends) != 0) return not_here;
         const long result = write_with([&](iovec* io) { return sys(SYS_vmsplice, ends[1], io, v, 0); });
         close(ends[0]);
         close(ends[1]);
         return result;
       }},
  };
}

}  // namespace

std::vector<Trial> file_trials() {
  std::vector<Trial> all = modes();
  for (auto part : {opening(), commands(), vectors()})
    for (Trial& trial : part) all.push_back(std::move(trial));
  return all;
}

}  // namespace agp::linux::trials

// Attempts on the file system. In: a path and what to do with it. Holds afterwards: what an attempt made is gone again,
// and no byte of a node that was there before changed.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "tools/probe/attempt.hpp"

namespace agp::probe {
namespace {

constexpr long tmpfs_magic = 0x01021994;  // TMPFS_MAGIC, include/uapi/linux/magic.h

std::string parent(const std::string& path) { return path.substr(0, std::max<std::size_t>(path.rfind('/'), 1)); }

/// errno of the first directory that could not be made, or 0.
int make_directories(const std::string& path) {
  for (std::size_t at = 1; at != path.npos;) {
    at = path.find('/', at);
    const std::string part = path.substr(0, at);
    if (mkdir(part.c_str(), 0755) != 0) {
      // An existing directory on a read-only mount answers EROFS or EEXIST: what counts is that it is there.
      const int error = errno;
      struct stat s {};
      if (stat(part.c_str(), &s) != 0 || !S_ISDIR(s.st_mode)) return error;
    }
    if (at != path.npos) ++at;
  }
  return 0;
}

/// Makes the node an attempt is about: an empty file, or a copy of this program to be executed.
int make_file(const std::string& path, bool program) {
  if (const int error = make_directories(parent(path))) return error;
  const int to = open(path.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0755);
  if (to < 0) return errno;
  int error = 0;
  if (const int from = program ? open("/proc/self/exe", O_RDONLY | O_CLOEXEC) : -1; program && from < 0) {
    error = errno;
  } else if (program) {
    char bytes[65536];
    ssize_t n = 0;
    while ((n = read(from, bytes, sizeof bytes)) > 0)
      if (write(to, bytes, static_cast<std::size_t>(n)) != n) error = errno;
    close(from);
  }
  close(to);
  return error;
}

/// runc masks a file by /dev/null and a directory by an empty read-only tmpfs (libcontainer/rootfs_linux.go, maskPath).
bool is_masked_file(int fd) {
  struct stat s {};
  return fstat(fd, &s) == 0 && S_ISCHR(s.st_mode) && s.st_rdev == makedev(1, 3);
}

Outcome read_node(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) return refused(errno);
  if (path != "/dev/null" && is_masked_file(fd)) return {masked, "/dev/null lies over it"};
  char byte = 0;
  if (read(fd, &byte, 1) < 0 && errno != EISDIR && errno != EAGAIN) return refused(errno, "opened, not read");
  return ok();
}

Outcome list_node(const std::string& path) {
  DIR* directory = opendir(path.c_str());
  if (directory == nullptr) return refused(errno);
  errno = 0;
  std::size_t entries = 0;
  while (const dirent* e = readdir(directory))
    entries += std::string_view(e->d_name) != "." && std::string_view(e->d_name) != "..";
  if (errno != 0) return refused(errno);
  struct statfs fs {};
  const bool cover =
      fstatfs(dirfd(directory), &fs) == 0 && fs.f_type == tmpfs_magic && (fs.f_flags & 1 /* ST_RDONLY */) != 0;
  if (entries == 0 && cover && path.rfind("/proc/", 0) == 0) return {masked, "an empty tmpfs lies over it"};
  return ok(std::to_string(entries) + " entries");
}

Outcome create_node(std::string_view kind, const std::string& path, mode_t mode) {
  umask(0);
  if (kind == "mkdir") {
    if (mkdir(path.c_str(), mode) != 0) return refused(errno);
    return rmdir(path.c_str()), ok();
  }
  if (kind == "mknod") {
    if (mknod(path.c_str(), mode, 0) != 0) return refused(errno);
  } else {
    const int fd = open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, mode);
    if (fd < 0) return errno == EEXIST ? unprepared("it is there already") : refused(errno);
    close(fd);
  }
  struct stat s {};
  char text[32] = "";
  if (stat(path.c_str(), &s) == 0) std::snprintf(text, sizeof text, "mode %04o", s.st_mode & 07777u);
  unlink(path.c_str());
  return ok(text);
}

Outcome change_mode(const std::string& path, mode_t mode) {
  if (const int error = make_file(path, false)) return unprepared("make " + path + ": " + refused(error).outcome);
  const int error = chmod(path.c_str(), mode) == 0 ? 0 : errno;
  unlink(path.c_str());
  return error == 0 ? ok() : refused(error);
}

Outcome execute(const std::string& path, bool made) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return unprepared("pipe");
  const pid_t child = fork();
  if (child < 0) return unprepared("fork: " + refused(errno).outcome);
  if (child == 0) {
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3; ++fd)
      if (null < 0)
        close(fd);
      else
        dup2(null, fd);
    char name[] = "agp-probe-exec", option[] = "--version";
    char* argv[] = {name, option, nullptr};
    char* envp[] = {nullptr};
    execve(path.c_str(), argv, envp);
    const int error = errno;
    if (write(ends[1], &error, sizeof error) < 0) _exit(1);
    _exit(0);
  }
  close(ends[1]);
  int error = 0;
  const bool failed = read(ends[0], &error, sizeof error) == sizeof error;  // closed by a successful execve
  waitpid(child, nullptr, 0);
  if (made) unlink(path.c_str());
  return failed ? refused(error) : ok();
}

/// `mv move to; mkdir -p …; create path`: a denied place re-made under a directory that was moved away.
Outcome rename_create(const std::string& path, const std::string& move, const std::string& to) {
  if (const int error = make_directories(move)) return unprepared("mkdir " + move + ": " + refused(error).outcome);
  if (rename(move.c_str(), to.c_str()) != 0) return refused(errno, "rename");
  Outcome result = ok("renamed, made again, created");
  if (const int error = make_directories(parent(path)))
    result = refused(error, "renamed, not made again");
  else if (const Outcome made = create_node("create", path, 0644); made.outcome != "ok")
    result = made;
  for (std::string d = parent(path); d.size() > move.size(); d = parent(d)) rmdir(d.c_str());
  rmdir(move.c_str());
  rename(to.c_str(), move.c_str());
  return result;
}

/// A rename, and back; or a hard link, and it is gone again.
Outcome move_node(bool linked, const std::string& path, const std::string& to) {
  struct stat s {};
  if (lstat(to.c_str(), &s) == 0) return unprepared(to + " is there already");
  if ((linked ? link(path.c_str(), to.c_str()) : rename(path.c_str(), to.c_str())) != 0) return refused(errno);
  if ((linked ? unlink(to.c_str()) : rename(to.c_str(), path.c_str())) != 0) return ok("and not put back");
  return ok();
}

Outcome delete_node(const std::string& path) { return unlink(path.c_str()) == 0 ? ok() : refused(errno); }

Outcome modify_node(const std::string& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) return refused(errno);
  if (path != "/dev/null" && is_masked_file(fd)) return {masked, "/dev/null lies over it"};
  return ok();
}

}  // namespace

Outcome attempt_file(std::string_view kind, const Arguments& arguments) {
  const std::string path = arguments.text("path");
  if (path.empty() || path[0] != '/') return unprepared("no absolute path");
  const mode_t mode = static_cast<mode_t>(arguments.number("mode", 0644));
  const bool make = arguments.text("needs") == "make";
  if (make)
    if (const int error = make_file(path, kind == "exec"))
      return unprepared("make " + path + ": " + refused(error).outcome);
  if (arguments.text("parents") == "make")
    if (const int error = make_directories(parent(path))) return refused(error, "the directory above");
  Outcome result;
  if (kind == "read")
    result = read_node(path);
  else if (kind == "list")
    result = list_node(path);
  else if (kind == "modify")
    result = modify_node(path);
  else if (kind == "delete")
    result = delete_node(path);
  else if (kind == "rename" || kind == "link")
    result = move_node(kind == "link", path, arguments.text("to"));
  else if (kind == "chmod")
    return change_mode(path, mode);
  else if (kind == "exec")
    return execute(path, make);
  else if (kind == "rename-create")
    return rename_create(path, arguments.text("move"), arguments.text("to"));
  else
    return create_node(kind, path, mode);
  if (make) unlink(path.c_str());
  return result;
}

}  // namespace agp::probe

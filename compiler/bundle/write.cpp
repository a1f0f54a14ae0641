// In: a tree of files and the directory it is wanted in. Out: the directory holds exactly that tree, or is as it was.
// The order: look what is there; lock; write everything beside it under another name; sync; look again; exchange; take
// the old tree away. A killed run leaves the old directory or the new one, whole.
#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <set>

#include "compiler/bundle/bundle.hpp"
#include "compiler/bundle/output.hpp"
#include "compiler/bundle/ownership.hpp"
#include "compiler/bundle/signals.hpp"
#include "compiler/diagnostics/kinds.hpp"
#include "compiler/source/disk.hpp"

namespace agp::bundle {
namespace {

namespace kind = diagnostics::kind;
namespace fs = std::filesystem;

/// Where a directory really is. The name itself may be missing; everything above it must exist.
struct Target {
  std::string path, parent;
  std::string fault;
};

Target find_target(const std::string& directory) {
  std::error_code error;
  Target target;
  fs::path path = fs::absolute(directory, error).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();  // a trailing slash
  if (fs::exists(fs::symlink_status(path, error))) {
    const fs::path real = fs::canonical(path, error);
    if (error)
      target.fault = "it is a symbolic link to nothing";
    else
      path = real;
  } else if (const fs::path parent = fs::canonical(path.parent_path(), error); !error) {
    path = parent / path.filename();
  } else {
    target.fault = fmt::format("the directory above it can't be used: {}", source::reason_of(error.value()));
  }
  if (directory.empty() || path == path.root_path()) target.fault = "it can't be replaced";
  target.path = path.string();
  target.parent = path.parent_path().string();
  return target;
}

bool check(const std::string& directory, const Target& target, diagnostics::Sink& sink) {
  if (!target.fault.empty()) {
    sink.emit(kind::output_failed, {}, fmt::format("`{}` can't be written: {}", directory, target.fault));
    return false;
  }
  const Place place = look_at(target.path);
  if (place.state != Place::State::Foreign) return true;
  sink.emit(kind::output_refused, {},
            fmt::format("`{}` holds something that agp did not write: {}", directory, place.reason))
      .note("agp replaces a directory that is empty, or whose `manifest.json` lists exactly the files in it")
      .helped("name another directory, or remove this one first");
  return false;
}

/// The new tree under a name of its own beside the target; gone with the object unless it was put in place.
class Staged {
 public:
  explicit Staged(const std::string& parent) : path_(parent + "/.agp-XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr) {
      error_ = errno;
      path_.clear();
    }
  }
  Staged(const Staged&) = delete;
  Staged& operator=(const Staged&) = delete;
  ~Staged() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }
  int error() const { return error_; }

  bool file(const std::string& name, std::string_view bytes) {
    for (std::size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
      const std::string directory = name.substr(0, slash);
      if (directories_.insert(directory).second && ::mkdir((path_ + '/' + directory).c_str(), 0755) != 0) return fail();
    }
    const Descriptor out(
        ::open((path_ + '/' + name).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (out.fd < 0 || !write_all(out.fd, bytes)) return fail();
    return ::fchmod(out.fd, 0644) == 0 && ::fsync(out.fd) == 0 ? true : fail();
  }

  bool finish() {
    directories_.insert("");
    for (const std::string& directory : directories_) {
      const Descriptor out(::open((path_ + '/' + directory).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (out.fd < 0 || ::fchmod(out.fd, 0755) != 0) return fail();
      if (::fsync(out.fd) != 0 && errno != EINVAL) return fail();  // EINVAL: a file system that can't sync a directory
    }
    return true;
  }

  /// The staged tree takes the place of `target`; what was there is then this object's to remove.
  bool put(const std::string& target, bool exists) {
    if (!exists) return ::rename(path_.c_str(), target.c_str()) == 0 ? released() : fail();
#ifdef RENAME_EXCHANGE
    if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0) return true;
    if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP) return fail();
#endif
    // A file system that can't exchange: the old tree aside, the new one in its place.
    std::string aside = path_ + "-old";
    if (::rename(target.c_str(), aside.c_str()) != 0) return fail();
    if (::rename(path_.c_str(), target.c_str()) != 0) {
      fail();
      ::rename(aside.c_str(), target.c_str());
      return false;
    }
    path_ = std::move(aside);
    return true;
  }

 private:
  bool fail() {
    error_ = errno;
    return false;
  }
  bool released() {
    path_.clear();
    return true;
  }

  std::string path_;
  std::set<std::string> directories_;
  int error_ = 0;
};

/// One build at a time beneath a directory. Waits a while for another one.
bool lock(int fd, const SignalGuard& signals) {
  for (int tries = 0; tries < 300 && !signals.interrupted(); ++tries) {
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return true;
    if (errno != EWOULDBLOCK && errno != EINTR)
      return true;  // a file system without locks: the exchange is still whole
    const timespec pause{0, 100'000'000};
    ::nanosleep(&pause, nullptr);
  }
  return false;
}

bool plain(std::string_view path) {
  return !path.empty() && path.front() != '/' && fs::path(path).lexically_normal().generic_string() == path &&
         !path.starts_with("..");
}

}  // namespace

bool may_replace(const std::string& directory, diagnostics::Sink& sink) {
  return check(directory, find_target(directory), sink);
}

bool write(const std::string& directory, std::span<const backends::Artifact> tree, diagnostics::Sink& sink) {
  const Target target = find_target(directory);
  if (!check(directory, target, sink)) return false;
  const auto failed = [&](std::string_view why) {
    sink.emit(kind::output_failed, {}, fmt::format("`{}` can't be written: {}", directory, why));
    return false;
  };
  SignalGuard signals;
  const Descriptor parent(::open(target.parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (parent.fd < 0) return failed(source::reason_of(errno));
  if (!lock(parent.fd, signals)) return failed("another build is writing there");
  Staged staged(target.parent);
  if (staged.error() != 0) return failed(source::reason_of(staged.error()));
  for (const backends::Artifact& artifact : tree) {
    if (!plain(artifact.path)) return failed(fmt::format("`{}` is not a path of an artifact", artifact.path));
    if (signals.interrupted()) return failed("interrupted");
    if (!staged.file(artifact.path, artifact.bytes)) return failed(source::reason_of(staged.error()));
  }
  if (!staged.finish()) return failed(source::reason_of(staged.error()));
  if (!check(directory, target, sink)) return false;  // while the lock was waited for
  if (signals.interrupted()) return failed("interrupted");
  if (!staged.put(target.path, look_at(target.path).state == Place::State::Ours))
    return failed(source::reason_of(staged.error()));
  signals.finished();
  ::fsync(parent.fd);
  return true;
}

}  // namespace agp::bundle

#include "compiler/project/cache.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <random>

#include "compiler/source/digest.hpp"
#include "compiler/source/disk.hpp"

// An entry: the format's name, the key, the digest of the bytes, a line each; then the bytes.
namespace agp::project {
namespace {

constexpr std::string_view format = "agp-cache/1\n";
constexpr std::size_t digest_size = 64, largest_entry = 256u << 20, largest_program = 1u << 30;

bool make_directory(const std::string& path) {
  return ::mkdir(path.c_str(), 0777) == 0 ||
         (errno == EEXIST && source::node_kind(path, true) == source::NodeKind::Directory);
}

bool write_file(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

}  // namespace

std::optional<Cache> Cache::open(const std::string& directory, std::string& reason) {
  for (std::size_t end = directory.find('/', 1); end != std::string::npos; end = directory.find('/', end + 1))
    ::mkdir(directory.substr(0, end).c_str(), 0777);  // the last one says whether it went well
  if (make_directory(directory)) return Cache(directory);
  reason = source::reason_of(errno == EEXIST ? ENOTDIR : errno);
  return std::nullopt;
}

/// 256 directories, so that none holds too many.
std::string Cache::place(const std::string& key) const {
  return fmt::format("{}/{}/{}", directory_, key.substr(0, 2), key.substr(2));
}

std::optional<std::string> Cache::get(const std::string& key) const {
  source::DiskRead read = source::read_disk(place(key), largest_entry);
  if (read.outcome != source::DiskRead::Outcome::Read) return std::nullopt;
  std::string_view rest = read.text;
  const auto line = [&](std::string_view wanted) {
    if (!rest.starts_with(wanted)) return false;
    rest.remove_prefix(wanted.size());
    return true;
  };
  if (!line(format) || !line(key + "\n") || rest.size() <= digest_size || rest[digest_size] != '\n')
    return std::nullopt;
  const std::string_view digest = rest.substr(0, digest_size);
  rest.remove_prefix(digest_size + 1);
  if (source::sha256(rest) != digest) return std::nullopt;
  return read.text.substr(read.text.size() - rest.size());
}

bool Cache::put(const std::string& key, std::string_view bytes, std::string& reason) const {
  const std::string to = place(key);
  // drawn, not counted: writers on several machines have the same process ids
  static std::random_device random;
  const std::string from = fmt::format("{}.{:08x}{:08x}.new", to, random(), random());
  make_directory(to.substr(0, to.rfind('/')));
  const int fd = ::open(from.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd >= 0) {
    const std::string head = fmt::format("{}{}\n{}\n", format, key, source::sha256(bytes));
    const bool written = write_file(fd, head) && write_file(fd, bytes);
    const int error = errno;
    if (::close(fd) == 0 && written && std::rename(from.c_str(), to.c_str()) == 0) return true;
    reason = source::reason_of(written ? errno : error);
    ::unlink(from.c_str());
    return false;
  }
  reason = source::reason_of(errno);
  return false;
}

std::string program_digest() {
  // the file that runs, also where another one has taken its name since
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> self(std::fopen("/proc/self/exe", "rbe"), std::fclose);
  if (self == nullptr) return {};
  std::string bytes;
  char block[1 << 16];
  for (std::size_t n; (n = std::fread(block, 1, sizeof block, self.get())) > 0 && bytes.size() < largest_program;)
    bytes.append(block, n);
  return std::ferror(self.get()) != 0 || bytes.empty() ? std::string() : source::sha256(bytes);
}

}  // namespace agp::project

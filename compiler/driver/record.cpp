#include "compiler/driver/record.hpp"

#include <algorithm>
#include <concepts>
#include <unordered_map>

// Numbers are eight bytes, least first; texts and lists have their length before them. Both directions are one function
// for each type, so that they can't differ.
namespace agp::driver {
namespace {

using diagnostics::Diagnostic;

struct Writer {
  static constexpr bool reading = false;
  std::string bytes;
  bool good = true;

  void number(std::uint64_t& value) {
    for (int i = 0; i < 8; ++i) bytes += static_cast<char>(value >> 8 * i);
  }
  void text(std::string& value) {
    std::uint64_t size = value.size();
    number(size);
    bytes += value;
  }
};

struct Reader {
  static constexpr bool reading = true;
  std::string_view rest;
  bool good = true;

  void number(std::uint64_t& value) {
    good = good && rest.size() >= 8;
    value = 0;
    if (!good) return;
    for (int i = 0; i < 8; ++i) value |= static_cast<std::uint64_t>(static_cast<unsigned char>(rest[i])) << 8 * i;
    rest.remove_prefix(8);
  }
  void text(std::string& value) {
    std::uint64_t size = 0;
    number(size);
    good = good && size <= rest.size();
    if (!good) return;
    value.assign(rest.substr(0, size));
    rest.remove_prefix(size);
  }
};

template <class Io, std::integral T>
void pass(Io& io, T& value) {
  auto wide = static_cast<std::uint64_t>(value);
  io.number(wide);
  value = static_cast<T>(wide);
}

template <class Io>
void pass(Io& io, std::string& value) {
  io.text(value);
}

template <class Io, class T>
void pass(Io& io, std::vector<T>& list) {
  std::uint64_t size = list.size();
  io.number(size);
  if constexpr (Io::reading) {
    io.good = io.good && size <= io.rest.size();  // an element has a byte at least
    for (std::uint64_t i = 0; i < size && io.good; ++i) pass(io, list.emplace_back());
  } else {
    for (T& one : list) pass(io, one);
  }
}

template <class Io>
void pass(Io& io, source::Span& span) {
  pass(io, span.file);
  pass(io, span.begin);
  pass(io, span.end);
}

template <class Io>
void pass(Io& io, diagnostics::Label& label) {
  pass(io, label.span);
  pass(io, label.message);
}

template <class Io>
void pass(Io& io, diagnostics::Edit& edit) {
  pass(io, edit.span);
  pass(io, edit.replacement);
}

template <class Io>
void pass(Io& io, const diagnostics::Kind*& kind) {
  std::uint64_t number = kind ? static_cast<std::uint64_t>(kind->number) : 0;
  io.number(number);
  if constexpr (Io::reading) {
    static const auto by_number = [] {
      std::unordered_map<std::uint64_t, const diagnostics::Kind*> map;
      for (const diagnostics::Kind* k : diagnostics::all_kinds()) map.emplace(k->number, k);
      return map;
    }();
    const auto at = by_number.find(number);
    io.good = io.good && at != by_number.end();
    if (io.good) kind = at->second;
  }
}

template <class Io>
void pass(Io& io, Diagnostic& d) {
  pass(io, d.kind);
  auto severity = static_cast<std::uint64_t>(d.severity);
  io.number(severity);
  io.good = io.good && severity <= static_cast<std::uint64_t>(diagnostics::Severity::Error);
  if (io.good) d.severity = static_cast<diagnostics::Severity>(severity);
  pass(io, d.message);
  pass(io, d.primary);
  pass(io, d.label);
  pass(io, d.related);
  pass(io, d.witness);
  pass(io, d.notes);
  pass(io, d.help);
  pass(io, d.edits);
  pass(io, d.policy);
  pass(io, d.stands_for);
  pass(io, d.elsewhere);
  pass(io, d.together_with);
}

template <class Io>
void pass(Io& io, analysis::CountRow& row) {
  pass(io, row.first);
  std::string count = Io::reading ? std::string() : row.second.decimal();
  pass(io, count);
  if constexpr (Io::reading) {
    io.good = io.good && std::all_of(count.begin(), count.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (io.good) row.second = model::Count::parse(count);
  }
}

template <class Io>
void pass(Io& io, CheckedPolicy& policy) {
  pass(io, policy.name);
  pass(io, policy.span);
  pass(io, policy.text);
  pass(io, policy.json);
  pass(io, policy.counts);
}

template <class Io>
void pass(Io& io, TextRead& read) {
  pass(io, read.path);
  pass(io, read.spelled);
  pass(io, read.sha256);
  pass(io, read.text);
  pass(io, read.library);
}

template <class Io>
void pass(Io& io, FileRecord& record) {
  pass(io, record.read);
  pass(io, record.policies);
  pass(io, record.findings);
  pass(io, record.resolved);
  pass(io, record.dated);
}

/// Every span lies in a text of the record, or in none.
bool consistent(const FileRecord& record) {
  const auto within = [&](const source::Span& s) { return !s.known() || s.file < record.read.size(); };
  for (const CheckedPolicy& policy : record.policies)
    if (!within(policy.span)) return false;
  return !record.read.empty() && std::all_of(record.findings.begin(), record.findings.end(), [&](const Diagnostic& d) {
    const auto all_within = [&](const auto& list) {
      return std::all_of(list.begin(), list.end(), [&](const auto& one) { return within(one.span); });
    };
    return within(d.primary) && all_within(d.related) && all_within(d.edits) && all_within(d.elsewhere) &&
           all_within(d.together_with);
  });
}

}  // namespace

std::string encode(FileRecord record) {
  Writer io;
  pass(io, record);
  return std::move(io.bytes);
}

std::optional<FileRecord> decode(std::string_view bytes) {
  Reader io{bytes};
  FileRecord record;
  pass(io, record);
  if (!io.good || !io.rest.empty() || !consistent(record)) return std::nullopt;
  return record;
}

}  // namespace agp::driver

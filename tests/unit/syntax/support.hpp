#pragma once
#include <fmt/format.h>

#include <string>
#include <vector>

#include "compiler/syntax/format.hpp"
#include "compiler/syntax/parse.hpp"

namespace agp::syntax::test {

/// One text with everything the parser said about it.
struct Parsed {
  source::Files files;
  diagnostics::Sink sink;
  File file;

  explicit Parsed(std::string text, const Limits& limits = {}) {
    const auto id = files.add("test.agp", std::move(text));
    file = parse(files, id, sink, limits);
  }
  std::string text(Span span) const { return std::string(files.text(span)); }
  /// "AGP1001 3:5 message" for each diagnostic.
  std::vector<std::string> findings() const {
    std::vector<std::string> out;
    for (const auto& d : sink.all()) {
      const auto at = files.position(d.primary.file, d.primary.begin);
      out.push_back(fmt::format("{} {}:{} {}", diagnostics::code_text(*d.kind), at.line, at.column, d.message));
    }
    return out;
  }
  template <typename T>
  const T& item(std::size_t i) const {
    return std::get<T>(file.items.at(i));
  }
};

}  // namespace agp::syntax::test

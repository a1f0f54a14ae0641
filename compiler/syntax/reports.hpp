#pragma once
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "compiler/diagnostics/diagnostic.hpp"

namespace agp::syntax::detail {

/// What the passes over one text find, until it goes to the sink: at most `most`, since nobody reads more and a hostile
/// text has millions; in the order of the text, whichever pass found it.
class Reports {
 public:
  static constexpr std::size_t most = 100;

  diagnostics::Diagnostic& emit(diagnostics::Diagnostic d) {
    if (!full()) {
      list_.push_back(std::move(d));
      return list_.back();
    }
    return spare_ = {};
  }
  /// The reference is valid until the next emit.
  diagnostics::Diagnostic& emit(const diagnostics::Kind& kind, source::Span span, std::string message) {
    return emit(diagnostics::Diagnostic(kind, span, std::move(message)));
  }
  bool full() const { return list_.size() >= most; }
  bool empty() const { return list_.empty(); }
  std::vector<diagnostics::Diagnostic>& all() { return list_; }

  /// Forgets what was found after there were `size`.
  void back_to(std::size_t size) { list_.resize(std::min(size, list_.size())); }

  void finish(diagnostics::Sink& sink) {
    std::stable_sort(list_.begin(), list_.end(),
                     [](const auto& a, const auto& b) { return a.primary.begin < b.primary.begin; });
    if (full()) list_.back().note("no more than " + std::to_string(most) + " mistakes of one file are shown");
    for (diagnostics::Diagnostic& d : list_) sink.emit(std::move(d));
    list_.clear();
  }

 private:
  std::vector<diagnostics::Diagnostic> list_;
  diagnostics::Diagnostic spare_;
};

}  // namespace agp::syntax::detail

#pragma once
#include <string>

#include "compiler/diagnostics/render.hpp"
#include "compiler/diagnostics/text.hpp"

/// One renderer per file; `render` in render.cpp is their only caller. Each takes findings in report order.
namespace agp::diagnostics {

std::string render_text(const source::Files& files, std::span<const Diagnostic> list, const RenderOptions& options);
std::string render_concise(const source::Files& files, std::span<const Diagnostic> list);
std::string render_json(const source::Files& files, std::span<const Diagnostic> list);
std::string render_sarif(const source::Files& files, std::span<const Diagnostic> list);
std::string render_github(const source::Files& files, std::span<const Diagnostic> list);
std::string render_markdown(const source::Files& files, std::span<const Diagnostic> list);
std::string render_junit(const source::Files& files, std::span<const Diagnostic> list, const RenderOptions& options);

/// The block of source lines of one finding, as `text` shows it, without colour.
std::string plain_snippet(const source::Files& files, const Diagnostic& diagnostic);

std::string_view severity_word(Severity severity);  ///< "error", "warning", "note"

/// Pointers to the findings, most severe first, otherwise in report order.
std::vector<const Diagnostic*> by_severity(std::span<const Diagnostic> list);

/// Text for a line of its own: visible, and not the beginning of a build server's command.
std::string line_start(std::string_view text);

}  // namespace agp::diagnostics

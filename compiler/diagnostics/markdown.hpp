#pragma once
#include <string>
#include <string_view>

/// Text that somebody else wrote, for Markdown: nothing of it is markup, a tag, a link, a mention or an issue number.
namespace agp::diagnostics {

/// A code span. Precondition: `text` is visible() already.
std::string markdown_code(std::string_view text);
/// A line of prose, any bytes: what stands in backticks is code.
std::string markdown_prose(std::string_view raw);

}  // namespace agp::diagnostics

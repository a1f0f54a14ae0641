#pragma once
#include <string>
#include <string_view>

namespace agp::sema {

/// The text of a library module by its path ("std/runtime/python.agp"); empty where there is none.
std::string library_text(std::string_view path);

}  // namespace agp::sema

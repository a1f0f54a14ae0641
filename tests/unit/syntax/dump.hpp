#pragma once
#include <string>

#include "compiler/syntax/ast.hpp"

namespace agp::syntax::test {

/// A syntax tree as text, one item a line, without spans: equal texts, equal trees.
std::string dump(const File& file);
std::string dump(const Item& item);
std::string dump(const Statement& statement);
std::string dump(const ActionPattern& action);
std::string dump(const Value& value);

}  // namespace agp::syntax::test

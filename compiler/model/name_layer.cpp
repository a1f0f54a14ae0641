#include "compiler/model/name_layer.hpp"

namespace agp::model {
namespace {

bool ends(std::string_view name, std::string_view suffix, bool anywhere) {
  if (!name.ends_with(suffix)) return false;
  return anywhere || suffix.empty() || name.size() == suffix.size() || name[name.size() - suffix.size() - 1] == '.';
}

}  // namespace

const NameRule* NameLayer::rule_for(std::string_view name) const {
  const NameRule* best = nullptr;
  for (const NameRule& r : rules)
    if (ends(name, r.suffix, r.anywhere) && (!best || r.suffix.size() > best->suffix.size())) best = &r;
  return best;
}

const NameFill* NameLayer::fill_for(std::string_view name) const {
  const NameFill* best = nullptr;
  for (const NameFill& f : fills)
    if (ends(name, f.domain, false) && (!best || f.domain.size() > best->domain.size())) best = &f;
  return best;
}

}  // namespace agp::model

#include "compiler/model/grant.hpp"

#include <algorithm>
#include <string_view>

#include "compiler/model/path_pattern.hpp"

namespace agp::model {

bool covers(const std::string& grant, const FileAction& action) {
  const auto open = grant.find('"'), close = grant.rfind('"');
  if (open == grant.npos || close <= open) return false;
  Verbs verbs = 0;
  for (std::size_t at = 0; at < open;) {
    const std::size_t end = std::min(grant.find_first_of(", ", at), open);
    const std::string_view word = std::string_view(grant).substr(at, end - at);
    if (word == "read") verbs |= verbs_read;
    if (word == "write") verbs |= verbs_write;
    if (word == "open") verbs |= static_cast<Verbs>(Verb::Read);
    if (word == "list") verbs |= static_cast<Verbs>(Verb::List);
    if (word == "exec") verbs |= static_cast<Verbs>(Verb::Exec);
    if (word == "modify") verbs |= static_cast<Verbs>(Verb::Modify);
    if (word == "create") verbs |= static_cast<Verbs>(Verb::Create);
    if (word == "delete") verbs |= static_cast<Verbs>(Verb::Delete);
    at = end + 1;
  }
  if (!has(verbs, action.verb)) return false;
  // The first quoted path is what is granted; those behind `except` are what the loader covers up.
  bool granted = false;
  for (std::size_t at = open; at != grant.npos && at < close; at = grant.find('"', at + 1)) {
    const std::size_t end = grant.find('"', at + 1);
    const std::string path = grant.substr(at + 1, end - at - 1);
    const bool beneath = path.size() > 3 && path.ends_with("/**");
    const std::string base = beneath ? path.substr(0, path.size() - 3) : path;
    const bool hit = beneath ? is_beneath(action.path, base) || (action.verb == Verb::List && action.path == base)
                             : action.path == base;
    if (at == open)
      granted = hit;
    else if (hit)
      return false;
    at = end;
  }
  return granted;
}

}  // namespace agp::model

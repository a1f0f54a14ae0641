#include "compiler/model/grant.hpp"

#include <algorithm>
#include <string_view>

#include "compiler/model/path_pattern.hpp"

namespace agp::model {

FileGrant file_grant(const std::string& grant) {
  FileGrant out;
  const auto open = grant.find('"'), close = grant.rfind('"');
  if (open == grant.npos || close <= open) return out;
  for (std::size_t at = 0; at < open;) {
    const std::size_t end = std::min(grant.find_first_of(", ", at), open);
    const std::string_view word = std::string_view(grant).substr(at, end - at);
    if (word == "read") out.verbs |= verbs_read;
    if (word == "write") out.verbs |= verbs_write;
    if (word == "open") out.verbs |= static_cast<Verbs>(Verb::Read);
    if (word == "list") out.verbs |= static_cast<Verbs>(Verb::List);
    if (word == "exec") out.verbs |= static_cast<Verbs>(Verb::Exec);
    if (word == "modify") out.verbs |= static_cast<Verbs>(Verb::Modify);
    if (word == "create") out.verbs |= static_cast<Verbs>(Verb::Create);
    if (word == "delete") out.verbs |= static_cast<Verbs>(Verb::Delete);
    at = end + 1;
  }
  for (std::size_t at = open; at != grant.npos && at < close; at = grant.find('"', at + 1)) {
    const std::size_t end = grant.find('"', at + 1);
    std::string path = grant.substr(at + 1, end - at - 1);
    if (at == open)
      out.path = std::move(path);
    else
      out.except.push_back(std::move(path));
    at = end;
  }
  return out;
}

bool covers(const std::string& grant, const FileAction& action) {
  const FileGrant parsed = file_grant(grant);
  const auto hit = [&](const std::string& path) {
    const bool beneath = path.size() > 3 && path.ends_with("/**");
    const std::string base = beneath ? path.substr(0, path.size() - 3) : path;
    return beneath ? is_beneath(action.path, base) || (action.verb == Verb::List && action.path == base)
                   : action.path == base;
  };
  return has(parsed.verbs, action.verb) && hit(parsed.path) &&
         std::none_of(parsed.except.begin(), parsed.except.end(), hit);
}

}  // namespace agp::model

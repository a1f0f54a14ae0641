#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/diagnostics/suggest.hpp"
#include "compiler/sema/library.hpp"
#include "compiler/sema/limits.hpp"
#include "compiler/sema/module.hpp"
#include "compiler/source/digest.hpp"
#include "embedded/stdlib.hpp"

// Files -> modules. A library module is a file inside the binary; any other comes from the ModuleSource. Nothing
// becomes visible unqualified (LANGUAGE.md, Items).
namespace agp::sema {
namespace {

namespace kind = diagnostics::kind;

const embedded::File* find_embedded(std::string_view path) {
  for (const auto& file : embedded::stdlib())
    if (file.path == path) return &file;
  return nullptr;
}

std::string stem(std::string_view path) {
  path.remove_prefix(path.rfind('/') == std::string_view::npos ? 0 : path.rfind('/') + 1);
  return std::string(path.substr(0, path.rfind('.')));
}

std::string library_path(std::string_view dotted) {
  std::string out(dotted);
  std::replace(out.begin(), out.end(), '.', '/');
  return out + ".agp";
}

const syntax::Name* item_name(const syntax::Item& item) {
  struct Visit {
    const syntax::Name* operator()(const syntax::VersionItem&) const { return nullptr; }
    const syntax::Name* operator()(const syntax::Use&) const { return nullptr; }
    const syntax::Name* operator()(const syntax::Test&) const { return nullptr; }
    const syntax::Name* operator()(const syntax::Parameter& i) const { return &i.name; }
    const syntax::Name* operator()(const syntax::Let& i) const { return &i.name; }
    const syntax::Name* operator()(const syntax::Fragment& i) const { return &i.name; }
    const syntax::Name* operator()(const syntax::Policy& i) const { return &i.name; }
    const syntax::Name* operator()(const syntax::Invariant& i) const { return &i.name; }
  };
  return std::visit(Visit{}, item);
}

}  // namespace

std::vector<std::string> library_modules() {
  std::vector<std::string> out;
  for (const auto& file : embedded::stdlib()) out.emplace_back(file.path);
  return out;
}

std::string library_text(std::string_view path) {
  const embedded::File* file = find_embedded(path);
  return file ? std::string(file->bytes) : std::string();
}

const Module* Modules::load_root(source::FileId file) {
  const std::string& path = files_.get(file).path;
  return load(file, path, stem(path), files_.get(file).library);
}

const Module* Modules::load_library(std::string_view dotted) {
  const std::string path(dotted);
  if (const auto known = by_path_.find(path); known != by_path_.end()) return known->second;
  const embedded::File* file = find_embedded(library_path(dotted));
  if (!file) return nullptr;
  ParsedLibrary once;
  ParsedLibrary::Entry& entry = (parsed_ ? *parsed_ : once).modules[path];
  if (entry.file == source::no_file)
    entry.file = files_.add(std::string(file->path), std::string(file->bytes), true);
  const Module* module = load(entry.file, path, path.substr(path.rfind('.') + 1), true, entry.ast);
  entry.ast = module->ast;
  return module;
}

Module* Modules::load(source::FileId file, std::string path, std::string name, bool library,
                      std::shared_ptr<const syntax::File> ast) {
  if (const auto known = by_path_.find(path); known != by_path_.end()) return known->second;
  modules_.emplace_back();
  Module& module = modules_.back();
  module.path = path;
  module.name = std::move(name);
  module.file = file;
  module.library = library;
  module.used_by = using_;
  by_path_[path] = &module;
  const std::size_t before = sink_.errors();
  module.ast = ast ? std::move(ast)
                   : std::make_shared<const syntax::File>(syntax::parse(files_, file, sink_, limits_));
  module.broken = sink_.errors() > before;
  module.text = files_.get(file).text;
  loading_.push_back(path);
  declare(module);
  loading_.pop_back();
  return &module;
}

void Modules::declare(Module& module) {
  for (const syntax::Item& item : module.ast->items) {
    if (const auto* use = std::get_if<syntax::Use>(&item)) resolve_use(module, *use);
    const syntax::Name* name = item_name(item);
    if (!name) continue;
    const auto [at, fresh] = module.items.emplace(name->text, &item);
    if (!fresh)
      sink_.emit(kind::duplicate_name, name->span, fmt::format("`{}` is declared twice", name->text))
          .labelled("declared again here")
          .relate(item_name(*at->second)->span, "first declared here");
  }
}

/// A circle of files, or a chain of them that is too long.
bool Modules::may_enter(const std::string& path, Span at) {
  const auto first = std::find(loading_.begin(), loading_.end(), path);
  if (first != loading_.end()) {
    const std::vector<std::string> circle(first, loading_.end());
    auto& d = sink_.emit(kind::import_cycle, at, fmt::format("`{}` uses itself", path));
    if (circle.size() > 1) d.note(fmt::format("the circle is {} -> {}", fmt::join(circle, " -> "), path));
    return false;
  }
  if (loading_.size() < limits::depth) return true;
  sink_.emit(kind::policy_too_large, at, fmt::format("files use each other more than {} deep", limits::depth));
  return false;
}

namespace {

/// The modules beside the one that was asked for; where there are none, the folders that there are.
std::set<std::string> near_modules(const std::string& dotted, const std::vector<std::string>& names) {
  const auto folder = [](const std::string& n) { return n.substr(0, n.rfind('.') + 1); };
  std::set<std::string> beside, folders;
  for (const std::string& n : names) {
    if (folder(n) == folder(dotted)) beside.insert(n);
    folders.insert(folder(n) + "…");
  }
  return beside.empty() ? folders : beside;
}

}  // namespace

const Module* Modules::used_library(const syntax::QualifiedName& name) {
  const std::string dotted = name.text();
  if (!may_enter(dotted, name.span)) return nullptr;
  if (const Module* module = load_library(dotted)) return module;
  std::vector<std::string> names;
  for (const auto& file : embedded::stdlib()) {
    std::string n(file.path.substr(0, file.path.size() - 4));
    std::replace(n.begin(), n.end(), '/', '.');
    names.push_back(n);
  }
  const std::vector<std::string_view> views(names.begin(), names.end());
  std::string help = diagnostics::did_you_mean(dotted, views);
  if (help.empty())
    help = fmt::format("the library has {}; a file of the project is named by its path: `use \"./{}.agp\"`",
                       fmt::join(near_modules(dotted, names), ", "), name.parts.back().text);
  sink_.emit(kind::unknown_module, name.span, fmt::format("the library has no module `{}`", dotted)).helped(help);
  return nullptr;
}

const Module* Modules::used_file(const Module& module, const syntax::Use& use, std::string& path) {
  for (const auto& piece : use.path->pieces) {
    if (piece.kind == syntax::StringPiece::Kind::Interpolation) {
      sink_.emit(kind::invalid_interpolation, piece.span, "the path of a `use` is a plain string");
      return nullptr;
    }
    path += piece.text;
  }
  if (module.library) {
    sink_.emit(kind::unknown_module, use.path->span, "a library module can't use a file");
    return nullptr;
  }
  const auto id = source_.load(module.file, path, use.path->span, sink_);
  if (!id) return nullptr;
  const std::string& real = files_.get(*id).path;
  return may_enter(real, use.span) ? load(*id, real, stem(real), false) : nullptr;
}

void Modules::resolve_use(Module& module, const syntax::Use& use) {
  const Module* target = nullptr;
  std::string visible;
  using_.push_back(use.span);
  if (use.module) {
    visible = use.module->text();
    target = used_library(*use.module);
  } else if (use.path) {
    std::string path;
    target = used_file(module, use, path);
    visible = stem(path);
  }
  using_.pop_back();
  if (use.as) visible = use.as->text;
  if (!target) {
    module.missing.insert(visible);
    return;
  }
  const auto [at, fresh] = module.uses.emplace(visible, target);
  if (!fresh && at->second != target)
    sink_.emit(kind::duplicate_name, use.span, fmt::format("two modules are called `{}` here", visible))
        .relate(module.use_spans[visible], "the first one")
        .helped("give one of them another name: `as other`");
  module.use_spans.emplace(visible, use.span);
}

std::vector<model::ModuleRead> Modules::read() const {
  std::vector<model::ModuleRead> out;
  for (const auto& [path, module] : by_path_) {
    std::string& digest = digests_[module->file];
    if (digest.empty()) digest = source::sha256(files_.get(module->file).text);
    out.push_back({path, digest});
  }
  return out;
}

bool Module::lost(std::string_view item) const {
  if (ast->lost_item) return true;
  if (!broken || item.empty()) return false;
  const auto is_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  for (std::size_t at = text.find(item); at != std::string_view::npos; at = text.find(item, at + 1)) {
    const std::size_t end = at + item.size();
    if (end < text.size() && is_word(text[end])) continue;
    const std::string_view before = text.substr(0, at);
    const std::size_t last = before.find_last_not_of(" \t\r\n");
    if (last == std::string_view::npos || last + 1 == at) continue;
    const std::string_view word = before.substr(0, last + 1);
    for (const std::string_view keyword : {"let", "param", "fragment", "policy"})
      if (word.ends_with(keyword) &&
          (word.size() == keyword.size() || !is_word(word[word.size() - keyword.size() - 1])))
        return true;
  }
  return false;
}

namespace {

/// `a.b` of `a.b.item`.
std::string qualifier(const syntax::QualifiedName& name) {
  std::string out;
  for (std::size_t i = 0; i + 1 < name.parts.size(); ++i) out += (i ? "." : "") + name.parts[i].text;
  return out;
}

}  // namespace

bool is_lost(const Module& from, const syntax::QualifiedName& name) {
  if (name.parts.size() == 1 && from.lost(name.parts[0].text)) return true;
  if (from.ast->lost_item || !from.missing.empty()) return true;  // what failed may be what was meant
  if (const auto whole = from.uses.find(name.text()); whole != from.uses.end())
    return whole->second->lost(whole->second->name);
  const auto module = from.uses.find(qualifier(name));
  return module != from.uses.end() && module->second->lost(name.parts.back().text);
}

Found find_item(const Module& from, const syntax::QualifiedName& name) {
  const auto in = [](const Module& module, const std::string& item) -> Found {
    const auto at = module.items.find(item);
    return at == module.items.end() ? Found{} : Found{&module, at->second};
  };
  if (name.parts.size() == 1)
    if (const Found own = in(from, name.parts[0].text); own.item) return own;
  if (const auto module = from.uses.find(name.text()); module != from.uses.end())
    return in(*module->second, module->second->name);
  if (const auto module = from.uses.find(qualifier(name)); module != from.uses.end())
    return in(*module->second, name.parts.back().text);
  return {};
}

}  // namespace agp::sema

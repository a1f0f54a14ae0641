// In: one line of a probe file. Out: its fields. RFC 8259, but for numbers, whose spelling is handed on unread. The
// program runs in an empty root and must not depend on anything there, so this is all the JSON it knows.
#include "tools/probe/line.hpp"

#include <cstdio>

namespace agp::probe {
namespace {

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::optional<Fields> object() {
    if (!value("", 0) || text_.empty() || text_.front() != '{') return {};
    skip();
    if (at_ != text_.size()) return {};
    return std::move(fields_);
  }

 private:
  static constexpr int depth_limit = 8;

  void skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r' || text_[at_] == '\n'))
      ++at_;
  }
  bool take(char c) {
    skip();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool put(const std::string& key, std::string text) { return fields_.emplace(key, std::move(text)).second; }

  bool value(const std::string& key, int depth) {
    skip();
    if (at_ >= text_.size() || depth > depth_limit) return false;
    if (text_[at_] == '{') return members(key, depth);
    if (text_[at_] == '[') return elements(key, depth);
    if (text_[at_] == '"') {
      std::string text;
      return string(text) && put(key, std::move(text));
    }
    const std::size_t start = at_;
    constexpr std::string_view word = "+-.0123456789abcdefghijklmnopqrstuvwxyzE";
    while (at_ < text_.size() && word.find(text_[at_]) != word.npos) ++at_;
    return at_ > start && put(key, std::string(text_.substr(start, at_ - start)));
  }

  bool members(const std::string& key, int depth) {
    if (!take('{')) return false;
    if (take('}')) return true;
    do {
      std::string name;
      skip();
      if (!string(name) || !take(':')) return false;
      if (!value(key.empty() ? name : key + "." + name, depth + 1)) return false;
    } while (take(','));
    return take('}');
  }

  bool elements(const std::string& key, int depth) {
    if (!take('[')) return false;
    if (take(']')) return true;
    std::size_t n = 0;
    do {
      if (!value(key + "." + std::to_string(n++), depth + 1)) return false;
    } while (take(','));
    return take(']');
  }

  bool string(std::string& out) {
    if (at_ >= text_.size() || text_[at_] != '"') return false;
    for (++at_; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"') return ++at_, true;
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c != '\\') {
        out += c;
        continue;
      }
      if (++at_ >= text_.size() || !escape(out)) return false;
    }
    return false;
  }

  bool escape(std::string& out) {
    static constexpr std::string_view letters = "\"\\/bfnrt", bytes = "\"\\/\b\f\n\r\t";
    if (const auto i = letters.find(text_[at_]); i != letters.npos) return out += bytes[i], true;
    if (text_[at_] != 'u') return false;
    std::uint32_t code = 0;
    if (!hex4(code)) return false;
    if (code >= 0xd800 && code < 0xdc00) {
      std::uint32_t low = 0;
      if (at_ + 2 >= text_.size() || text_[at_ + 1] != '\\' || text_[at_ + 2] != 'u') return false;
      at_ += 2;
      if (!hex4(low) || low < 0xdc00 || low >= 0xe000) return false;
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    } else if (code >= 0xdc00 && code < 0xe000) {
      return false;
    }
    utf8(out, code);
    return true;
  }

  /// Reads the four digits after the character at `at_` and stays on the last one.
  bool hex4(std::uint32_t& code) {
    for (int i = 0; i < 4; ++i) {
      if (++at_ >= text_.size()) return false;
      const char c = text_[at_];
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return false;
      code = code << 4 | static_cast<std::uint32_t>(digit);
    }
    return true;
  }

  static void utf8(std::string& out, std::uint32_t code) {
    const auto tail = [&](int shift) { out += static_cast<char>(0x80 | (code >> shift & 0x3f)); };
    if (code < 0x80) {
      out += static_cast<char>(code);
    } else if (code < 0x800) {
      out += static_cast<char>(0xc0 | code >> 6);
      tail(0);
    } else if (code < 0x10000) {
      out += static_cast<char>(0xe0 | code >> 12);
      tail(6), tail(0);
    } else {
      out += static_cast<char>(0xf0 | code >> 18);
      tail(12), tail(6), tail(0);
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Fields fields_;
};

}  // namespace

std::optional<Fields> parse_object(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  return Parser(text).object();
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c >= 0x20 && c < 0x7f) {
      out += c;
    } else {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(c)));
      out += escaped;
    }
  }
  return out + "\"";
}

}  // namespace agp::probe

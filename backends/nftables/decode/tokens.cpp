#include "backends/nftables/decode/tokens.hpp"

#include <fmt/format.h>

#include "backends/nftables/decode/ruleset.hpp"

// In: a script. Out: tokens. An address, a prefix, a range and a name with dashes are one word; `/`, `:` and `-` are
// signs of their own only between spaces.
namespace agp::backends::nftables::reading {
namespace {

bool ends_word(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n' ||
         std::string_view("{}(),;\"=!&|#").find(c) != std::string_view::npos;
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  std::vector<Token> run() {
    while (at_ < text_.size()) one();
    add(Token::Kind::End, 0);
    return std::move(out_);
  }

 private:
  void add(Token::Kind kind, std::size_t length) {
    out_.push_back({kind, text_.substr(at_, length), line_, static_cast<std::uint32_t>(at_ - start_ + 1)});
    at_ += length;
  }
  [[noreturn]] void fail(std::string_view what) {
    refuse(fmt::format("line {}, column {}: {}", line_, at_ - start_ + 1, what));
  }
  void line() {
    ++at_;
    ++line_;
    start_ = at_;
  }

  void one() {
    const char c = text_[at_];
    if (c == ' ' || c == '\t' || c == '\r') {
      ++at_;
    } else if (c == '\n') {
      out_.push_back({Token::Kind::Stop, "\n", line_, static_cast<std::uint32_t>(at_ - start_ + 1)});
      line();
    } else if (c == '#') {
      while (at_ < text_.size() && text_[at_] != '\n') ++at_;
    } else if (c == ';') {
      add(Token::Kind::Stop, 1);
    } else if (c == '\\' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n') {
      ++at_;
      line();
    } else if (c == '"') {
      const std::size_t end = text_.find_first_of("\"\n", at_ + 1);
      if (end == std::string_view::npos || text_[end] == '\n') fail("the string does not end");
      out_.push_back({Token::Kind::Quoted, text_.substr(at_ + 1, end - at_ - 1), line_,
                      static_cast<std::uint32_t>(at_ - start_ + 1)});
      at_ = end + 1;
    } else if ((c == '=' || c == '!') && at_ + 1 < text_.size() && text_[at_ + 1] == '=') {
      add(Token::Kind::Sign, 2);
    } else if (std::string_view("{}(),=!&|").find(c) != std::string_view::npos) {
      add(Token::Kind::Sign, 1);
    } else if (c == '$') {
      fail("variables are not in the subset");
    } else if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) {
      fail("a character that is no printable ASCII");
    } else {
      word();
    }
  }

  void word() {
    std::size_t end = at_;
    while (end < text_.size() && !ends_word(text_[end])) ++end;
    std::size_t length = end - at_;
    // `22: accept`: the colon is not the word's, unless it ends an address (`fe80::`)
    const std::string_view w = text_.substr(at_, length);
    if (length > 1 && w.back() == ':' && w[length - 2] != ':') --length;
    if (w == ":" || w == "/") return add(Token::Kind::Sign, 1);
    for (std::size_t i = 0; i < length; ++i)
      if (static_cast<unsigned char>(w[i]) < 0x20 || static_cast<unsigned char>(w[i]) >= 0x7f) {
        at_ += i;
        fail("a character that is no printable ASCII");
      }
    add(Token::Kind::Word, length);
  }

  std::string_view text_;
  std::size_t at_ = 0, start_ = 0;
  std::uint32_t line_ = 1;
  std::vector<Token> out_;
};

}  // namespace

std::vector<Token> tokens_of(std::string_view script) { return Lexer(script).run(); }

}  // namespace agp::backends::nftables::reading

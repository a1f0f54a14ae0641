// The only file that sees ANTLR. In: bytes, or tokens of our own. Out: tokens, flat trees, the grammar as an automaton.
// Afterwards no object of ANTLR is alive but its static tables. Nothing here throws to the outside: the error strategy
// below turns the first mistake into "failed", and compiler/syntax/viable.cpp says what was wrong.
#include "compiler/syntax/antlr_adapter.hpp"

#include "AgpLexer.h"
#include "AgpParser.h"
#include "antlr4-runtime.h"
#include "compiler/syntax/plain_tokens.hpp"

namespace agp::syntax::detail {

static_assert(static_cast<int>(T::ALLOW) == AgpParser::ALLOW && static_cast<int>(T::BAD_CHAR) == AgpParser::BAD_CHAR);
static_assert(static_cast<int>(R::plainWord) == AgpParser::RulePlainWord);
static_assert(sizeof token_spellings / sizeof *token_spellings == token_types);

namespace {

/// A text as ANTLR reads it: one unit a byte.
class Bytes final : public antlr4::CharStream {
 public:
  explicit Bytes(std::string_view text) : text_(text) {}
  void consume() override { ++at_; }
  size_t LA(ssize_t i) override {
    if (i == 0) return 0;
    const size_t at = i > 0 ? at_ + static_cast<size_t>(i) - 1 : at_ + static_cast<size_t>(i);
    if (at >= text_.size()) return EOF;
    const auto byte = static_cast<unsigned char>(text_[at]);
    return byte < 0x80 ? byte : 1;
  }
  ssize_t mark() override { return -1; }
  void release(ssize_t) override {}
  size_t index() override { return at_; }
  void seek(size_t index) override { at_ = index; }
  size_t size() override { return text_.size(); }
  std::string getSourceName() const override { return {}; }
  std::string getText(const antlr4::misc::Interval&) override { return {}; }
  std::string toString() const override { return {}; }

 private:
  std::string_view text_;
  size_t at_ = 0;
};

/// One token as ANTLR's parser sees it.
class View final : public antlr4::Token {
 public:
  size_t type = 0, index = 0;
  std::string getText() const override { return {}; }
  size_t getType() const override { return type; }
  size_t getLine() const override { return 0; }
  size_t getCharPositionInLine() const override { return 0; }
  size_t getChannel() const override { return 0; }
  size_t getTokenIndex() const override { return index; }
  size_t getStartIndex() const override { return 0; }
  size_t getStopIndex() const override { return 0; }
  antlr4::TokenSource* getTokenSource() const override { return nullptr; }
  antlr4::CharStream* getInputStream() const override { return nullptr; }
  std::string toString() const override { return {}; }
};

/// Our tokens as a token stream; views are made in a small ring, since nobody keeps them for long: the parser's
/// contexts hold pointers to them but are never asked for a token's content.
class Stream final : public antlr4::TokenStream {
 public:
  explicit Stream(const std::vector<Token>& tokens) : tokens_(tokens) {}
  void limit(std::uint32_t begin, std::uint32_t end) {
    at_ = begin;
    end_ = end;
  }
  size_t LA(ssize_t i) override {
    if (i == 0) return 0;
    const size_t at = i > 0 ? at_ + static_cast<size_t>(i) - 1 : at_ + static_cast<size_t>(i);
    return at < end_ ? type(at) : EOF;
  }
  antlr4::Token* LT(ssize_t i) override {
    View& view = ring_[turn_++ % ring_.size()];
    view.index = i > 0 ? at_ + static_cast<size_t>(i) - 1 : at_ + static_cast<size_t>(i);
    view.type = view.index < end_ ? type(view.index) : EOF;
    return &view;
  }
  antlr4::Token* get(size_t index) const override {
    View& view = ring_[turn_++ % ring_.size()];
    view.index = index;
    view.type = index < end_ ? type(index) : EOF;
    return &view;
  }
  void consume() override { ++at_; }
  ssize_t mark() override { return -1; }
  void release(ssize_t) override {}
  size_t index() override { return at_; }
  void seek(size_t index) override { at_ = index; }
  size_t size() override { return end_; }
  std::string getSourceName() const override { return {}; }
  antlr4::TokenSource* getTokenSource() const override { return nullptr; }
  std::string getText(const antlr4::misc::Interval&) override { return {}; }
  std::string getText() override { return {}; }
  std::string getText(antlr4::RuleContext*) override { return {}; }
  std::string getText(antlr4::Token*, antlr4::Token*) override { return {}; }

 private:
  size_t type(size_t at) const {
    const T t = tokens_[at].type;
    return t == T::END ? EOF : static_cast<size_t>(t);
  }
  const std::vector<Token>& tokens_;
  size_t at_ = 0, end_ = 0;
  mutable std::array<View, 64> ring_;
  mutable size_t turn_ = 0;
};

/// Leaves the parse at the first mistake.
class Strict final : public antlr4::ANTLRErrorStrategy {
 public:
  void reset(antlr4::Parser*) override {}
  antlr4::Token* recoverInline(antlr4::Parser*) override { throw antlr4::ParseCancellationException("mismatch"); }
  void recover(antlr4::Parser*, std::exception_ptr) override {
    throw antlr4::ParseCancellationException("no viable alternative");
  }
  void sync(antlr4::Parser*) override {}
  bool inErrorRecoveryMode(antlr4::Parser*) override { return false; }
  void reportMatch(antlr4::Parser*) override {}
  void reportError(antlr4::Parser*, const antlr4::RecognitionException&) override {}
};

/// The generated parser, writing down what it does instead of building ANTLR's tree.
class Recorder final : public AgpParser {
 public:
  explicit Recorder(Stream* stream) : AgpParser(stream), stream_(stream) {
    setBuildParseTree(false);
    removeErrorListeners();
    setErrorHandler(std::make_shared<Strict>());
  }
  void start(Tree& tree) {
    tree_ = &tree;
    tree.clear();
    open_.clear();
  }
  void finish() { close(0); }

  void enterRule(antlr4::ParserRuleContext* context, size_t state, size_t rule) override {
    close_until(static_cast<antlr4::ParserRuleContext*>(context->parent));
    AgpParser::enterRule(context, state, rule);
    const auto at = static_cast<std::uint32_t>(stream_->index());
    open_.push_back({context, static_cast<std::uint32_t>(tree_->size())});
    tree_->push_back({at, at, 0, static_cast<R>(rule), false});
  }
  antlr4::Token* consume() override {
    close_until(_ctx);
    const auto at = static_cast<std::uint32_t>(stream_->index());
    const auto here = static_cast<std::uint32_t>(tree_->size());
    tree_->push_back({at, at + 1, here + 1, R{}, true});
    return AgpParser::consume();
  }

 private:
  struct Open {
    antlr4::ParserRuleContext* context;
    std::uint32_t node;
  };
  // exitRule is not virtual: a rule is over when something happens in a context above it.
  void close_until(const antlr4::ParserRuleContext* context) {
    size_t depth = open_.size();
    while (depth > 0 && open_[depth - 1].context != context) --depth;
    close(depth);
  }
  void close(size_t depth) {
    while (open_.size() > depth) {
      const auto size = static_cast<std::uint32_t>(tree_->size());
      Node& node = (*tree_)[open_.back().node];
      node.next = size;
      // Every phrase ends with a token, and the last node written is a leaf or an empty phrase at its own place.
      if (size > open_.back().node + 1) node.end = tree_->back().end;
      open_.pop_back();
    }
  }
  Stream* stream_;
  Tree* tree_ = nullptr;
  std::vector<Open> open_;
};

using Entry = void (*)(Recorder&);

Entry entry_of(R rule) {
  switch (rule) {
    case R::item:
      return [](Recorder& p) { p.item(); };
    case R::actionPattern:
      return [](Recorder& p) { p.actionPattern(); };
    case R::statement:
      return [](Recorder& p) { p.statement(); };
    case R::fileRule:
      return [](Recorder& p) { p.fileRule(); };
    case R::netEntry:
      return [](Recorder& p) { p.netEntry(); };
    case R::syscallRule:
      return [](Recorder& p) { p.syscallRule(); };
    case R::capabilityRule:
      return [](Recorder& p) { p.capabilityRule(); };
    case R::textRule:
      return [](Recorder& p) { p.textRule(); };
    case R::envEntry:
      return [](Recorder& p) { p.envEntry(); };
    case R::limitEntry:
      return [](Recorder& p) { p.limitEntry(); };
    case R::runEntry:
      return [](Recorder& p) { p.runEntry(); };
    case R::onDenyEntry:
      return [](Recorder& p) { p.onDenyEntry(); };
    case R::testLine:
      return [](Recorder& p) { p.testLine(); };
    case R::invariantLine:
      return [](Recorder& p) { p.invariantLine(); };
    default:
      return nullptr;
  }
}

}  // namespace

// ---- the scanner ------------------------------------------------------------------------------------------------

struct Scanner::Impl {
  explicit Impl(std::string_view whole) : text(whole), bytes(whole), lexer(&bytes) {}
  std::string_view text;
  Bytes bytes;
  AgpLexer lexer;
};

Scanner::Scanner(std::string_view text) : impl_(std::make_unique<Impl>(text)) {}
Scanner::~Scanner() = default;

T Scanner::next(std::uint32_t begin, std::uint32_t& end) {
  const T plain = plain_token(impl_->text, begin, end);
  return plain == T::END ? next_by_grammar(begin, end) : plain;
}

T Scanner::next_by_grammar(std::uint32_t begin, std::uint32_t& end) {
  impl_->bytes.seek(begin);
  // The simulator is called without the lexer around it: no token object is made. BAD_CHAR takes any character, so
  // there is always a match.
  const size_t type =
      impl_->lexer.getInterpreter<antlr4::atn::LexerATNSimulator>()->match(&impl_->bytes, antlr4::Lexer::DEFAULT_MODE);
  end = static_cast<std::uint32_t>(impl_->bytes.index());
  return static_cast<T>(type);
}

// ---- the parser -------------------------------------------------------------------------------------------------

struct Parser::Impl {
  explicit Impl(const std::vector<Token>& tokens) : stream(tokens), recorder(&stream) {}
  bool run(R rule, std::uint32_t begin, std::uint32_t end, Tree& tree) {
    recorder.reset();
    stream.limit(begin, end);
    recorder.start(tree);
    bool good = true;
    try {
      entry_of(rule)(recorder);
    } catch (const antlr4::ParseCancellationException&) {
      good = false;
    }
    recorder.finish();
    return good;
  }
  Stream stream;
  Recorder recorder;
};

Parser::Parser(const std::vector<Token>& tokens) : impl_(std::make_unique<Impl>(tokens)) {}
Parser::~Parser() = default;

std::uint32_t Parser::parse(R rule, std::uint32_t begin, std::uint32_t end, Tree& tree) {
  // Full LL throughout: this grammar has no decision that would need more than SLL's caches, so it costs nothing.
  if (!impl_->run(rule, begin, end, tree)) return failed;
  const auto at = static_cast<std::uint32_t>(impl_->stream.index());
  impl_->recorder.reset();
  return at;
}

// ---- the automaton ----------------------------------------------------------------------------------------------

namespace {

Automaton::Edge edge_of(const antlr4::atn::Transition& transition) {
  using antlr4::atn::Transition;
  Automaton::Edge edge;
  edge.target = static_cast<std::uint32_t>(transition.target->stateNumber);
  if (transition.getSerializationType() == Transition::RULE) {
    const auto& rule = static_cast<const antlr4::atn::RuleTransition&>(transition);
    edge.kind = Automaton::Edge::Kind::Rule;
    edge.rule = static_cast<R>(rule.ruleIndex);
    edge.target = static_cast<std::uint32_t>(rule.followState->stateNumber);
  } else if (!transition.isEpsilon()) {
    edge.kind = Automaton::Edge::Kind::Tokens;
    const antlr4::misc::IntervalSet label = transition.label();
    for (unsigned type = 1; type < token_types; ++type)
      if (label.contains(static_cast<ssize_t>(type))) edge.tokens.push_back(static_cast<T>(type));
    if (label.contains(static_cast<ssize_t>(-1))) edge.tokens.push_back(T::END);
  }
  return edge;
}

Automaton read_automaton() {
  const std::vector<Token> none;
  Stream stream(none);
  const Recorder parser(&stream);
  const antlr4::atn::ATN& atn = parser.getATN();
  Automaton out;
  out.states.resize(atn.states.size());
  for (size_t i = 0; i < atn.states.size(); ++i) {
    antlr4::atn::ATNState* state = atn.states[i];
    if (state == nullptr) continue;
    out.states[i].rule = static_cast<R>(state->ruleIndex);
    out.states[i].stop = state->getStateType() == antlr4::atn::ATNState::RULE_STOP;
    // The stop state's own edges lead back to every caller; the stack says which one it is.
    if (out.states[i].stop) continue;
    for (const antlr4::atn::Transition* transition : state->transitions)
      out.states[i].edges.push_back(edge_of(*transition));
  }
  for (const antlr4::atn::RuleStartState* start : atn.ruleToStartState)
    out.starts.push_back(static_cast<std::uint32_t>(start->stateNumber));
  return out;
}

}  // namespace

const Automaton& automaton() {
  static const Automaton instance = read_automaton();
  return instance;
}

}  // namespace agp::syntax::detail

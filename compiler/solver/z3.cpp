#include <dlfcn.h>
#include <fmt/format.h>
#include <z3.h>

#include <algorithm>

#include "compiler/solver/solver.hpp"

// Terms -> Z3, and Z3's answers back. The only file that knows Z3. libz3 (23 MB, 10 ms to map and relocate) is opened
// with dlopen when the first question is asked, so that commands which ask none do not pay for it; the C interface is
// the stable one, and its types come from z3.h at compile time.
namespace agp::solver {
namespace {

#define AGP_Z3_FUNCTIONS(F)                                                                                            \
  F(mk_config)                                                                                                         \
  F(set_param_value) F(del_config) F(mk_context_rc) F(set_error_handler) F(get_error_code) F(get_error_msg)            \
      F(get_version) F(inc_ref) F(dec_ref) F(mk_solver_for_logic) F(solver_inc_ref) F(solver_push) F(solver_pop)       \
          F(solver_assert) F(solver_check_assumptions) F(solver_get_model) F(solver_get_unsat_core)                    \
              F(solver_get_reason_unknown) F(solver_set_params) F(mk_params) F(params_inc_ref) F(params_dec_ref)       \
                  F(params_set_uint) F(params_set_bool) F(mk_string_symbol) F(mk_int_symbol) F(mk_bv_sort)             \
                      F(mk_bool_sort) F(mk_const) F(mk_true) F(mk_false) F(mk_not) F(mk_and) F(mk_or) F(mk_ite)        \
                          F(mk_eq) F(mk_bvult) F(mk_bvule) F(mk_bvand) F(mk_bvor) F(mk_bvxor) F(mk_bvadd) F(mk_bvsub)  \
                              F(mk_bvmul) F(mk_bvudiv) F(mk_bvurem) F(mk_bvshl) F(mk_bvlshr) F(mk_bvneg) F(mk_extract) \
                                  F(mk_concat) F(mk_unsigned_int64) F(model_inc_ref) F(model_dec_ref) F(model_eval)    \
                                      F(get_numeral_uint64) F(get_bool_value) F(ast_vector_inc_ref)                    \
                                          F(ast_vector_dec_ref) F(ast_vector_size) F(ast_vector_get)

/// The functions used, by the names of z3.h without `Z3_`.
struct Api {
#define AGP_Z3_MEMBER(name) decltype(&::Z3_##name) name = nullptr;
  AGP_Z3_FUNCTIONS(AGP_Z3_MEMBER)
#undef AGP_Z3_MEMBER
};

bool load(Api& api, std::string& why_not) {
  void* library = nullptr;
  for (const char* name : {"libz3.so.4", "libz3.so"}) {
    if ((library = dlopen(name, RTLD_NOW | RTLD_LOCAL)) != nullptr) break;
    if (why_not.empty()) why_not = fmt::format("the solver can't be loaded: {}", dlerror());
  }
  if (!library) return false;
  why_not.clear();
#define AGP_Z3_LOAD(name)                                                       \
  api.name = reinterpret_cast<decltype(api.name)>(dlsym(library, "Z3_" #name)); \
  if (!api.name) why_not = "the solver's library has no function Z3_" #name;
  AGP_Z3_FUNCTIONS(AGP_Z3_LOAD)
#undef AGP_Z3_LOAD
  return why_not.empty();
}

std::string version_of(const Api& api) {
  unsigned major = 0, minor = 0, build = 0, revision = 0;
  api.get_version(&major, &minor, &build, &revision);
  return fmt::format("Z3 {}.{}.{}", major, minor, build);
}

class Z3 final : public Engine {
 public:
  explicit Z3(const Api& api) : z_(api) {
    Z3_config config = z_.mk_config();
    context_ = z_.mk_context_rc(config);
    z_.del_config(config);
    z_.set_error_handler(context_, nullptr);  // errors are read with get_error_code; nothing aborts
    solver_ = z_.mk_solver_for_logic(context_, z_.mk_string_symbol(context_, "QF_BV"));
    z_.solver_inc_ref(context_, solver_);
  }

  void push() override { z_.solver_push(context_, solver_); }
  void pop() override { z_.solver_pop(context_, solver_, 1); }

  void add(const Terms& terms, Term assertion) override {
    z_.solver_assert(context_, solver_, translate(terms, assertion));
  }

  Answer check(const Terms& terms, std::span<const Term> assumptions, const Limits& limits) override {
    set_limits(limits);
    std::vector<Z3_ast> given;
    for (const Term t : assumptions) given.push_back(translate(terms, t));
    // Assumptions must be literals; others get a name that implies them.
    const bool literals =
        std::all_of(assumptions.begin(), assumptions.end(), [&](Term t) { return literal(terms, t); });
    if (!literals) {
      push();
      for (std::size_t i = 0; i < given.size(); ++i)
        if (!literal(terms, assumptions[i])) given[i] = named(given[i], i);
    }
    Answer answer = ask(terms, assumptions, given, limits);
    if (!literals) {
      pop();
      for (std::size_t i = 0; i < given.size(); ++i)
        if (!literal(terms, assumptions[i])) z_.dec_ref(context_, given[i]);
    }
    return answer;
  }

  void forget() override {
    for (const Z3_ast ast : translated_)
      if (ast) z_.dec_ref(context_, ast);
    translated_.clear();
    variables_.clear();
  }

  std::string version() const override { return version_of(z_); }

 private:
  static bool literal(const Terms& terms, Term t) {
    const auto& n = terms.node(t);
    return n.op == Op::Var || n.op == Op::Const || (n.op == Op::Not && terms.node({n.a}).op == Op::Var);
  }

  Z3_ast named(Z3_ast meaning, std::size_t i) {
    const auto name = fmt::format("assumption!{}", i);
    const Z3_ast fresh = z_.mk_const(context_, z_.mk_string_symbol(context_, name.c_str()), z_.mk_bool_sort(context_));
    z_.inc_ref(context_, fresh);
    z_.solver_assert(context_, solver_, z_.mk_eq(context_, fresh, meaning));
    return fresh;
  }

  void set_limits(const Limits& limits) {
    Z3_params params = z_.mk_params(context_);
    z_.params_inc_ref(context_, params);
    const auto set = [&](const char* name, unsigned v) {
      z_.params_set_uint(context_, params, z_.mk_string_symbol(context_, name), v);
    };
    set("timeout", clamp(static_cast<std::uint64_t>(limits.timeout.count())));
    if (limits.steps != 0) set("rlimit", clamp(limits.steps));
    // Interrupts are the program's own business.
    z_.params_set_bool(context_, params, z_.mk_string_symbol(context_, "ctrl_c"), false);
    z_.solver_set_params(context_, solver_, params);
    z_.params_dec_ref(context_, params);
  }
  static unsigned clamp(std::uint64_t v) { return v > 0xfffffffe ? 0xfffffffe : static_cast<unsigned>(v); }

  Answer ask(const Terms& terms, std::span<const Term> assumptions, const std::vector<Z3_ast>& given,
             const Limits& limits) {
    const Z3_lbool result =
        z_.solver_check_assumptions(context_, solver_, static_cast<unsigned>(given.size()), given.data());
    if (const Z3_error_code code = z_.get_error_code(context_); code != Z3_OK)
      return Undecided{fmt::format("the solver failed: {}", z_.get_error_msg(context_, code))};
    if (result == Z3_L_TRUE) return model(terms);
    if (result == Z3_L_FALSE) return core(assumptions, given);
    const std::string reason = z_.solver_get_reason_unknown(context_, solver_);
    if (reason == "timeout" || reason == "canceled")
      return Undecided{fmt::format("the solver's limit of {} s or {} steps was reached",
                                   static_cast<double>(limits.timeout.count()) / 1000, limits.steps)};
    return Undecided{fmt::format("the solver gave up: {}", reason)};
  }

  Answer model(const Terms& terms) {
    const Z3_model m = z_.solver_get_model(context_, solver_);
    if (!m) return Undecided{"the solver gave no model"};
    z_.model_inc_ref(context_, m);
    Sat sat;
    bool complete = true;
    for (const Term t : variables_) {
      Z3_ast value = nullptr;
      std::uint64_t number = 0;
      const auto& node = terms.node(t);
      bool known = z_.model_eval(context_, m, translated_[t.id], true, &value);
      if (known && node.width == 0)
        number = z_.get_bool_value(context_, value) == Z3_L_TRUE ? 1 : 0;
      else if (known)
        known = z_.get_numeral_uint64(context_, value, &number);
      complete = complete && known;
      sat.values.emplace(terms.name(node), number);
    }
    z_.model_dec_ref(context_, m);
    if (!complete) return Undecided{"the solver's model has no value for a variable"};
    return sat;
  }

  Answer core(std::span<const Term> assumptions, const std::vector<Z3_ast>& given) {
    Unsat unsat;
    const Z3_ast_vector core = z_.solver_get_unsat_core(context_, solver_);
    if (!core) return unsat;
    z_.ast_vector_inc_ref(context_, core);
    for (unsigned i = 0; i < z_.ast_vector_size(context_, core); ++i)
      for (std::size_t k = 0; k < given.size(); ++k)
        if (given[k] == z_.ast_vector_get(context_, core, i)) unsat.core.push_back(assumptions[k]);
    z_.ast_vector_dec_ref(context_, core);
    return unsat;
  }

  /// Operands come before what uses them, so one upward sweep over an explicit stack suffices at any depth.
  Z3_ast translate(const Terms& terms, Term root) {
    if (translated_.size() < terms.size()) translated_.resize(terms.size());
    std::vector<std::uint32_t> open{root.id};
    while (!open.empty()) {
      const std::uint32_t id = open.back();
      if (translated_[id]) {
        open.pop_back();
        continue;
      }
      const auto& n = terms.node({id});
      bool ready = true;
      for (const std::uint32_t operand : operands(n))
        if (!translated_[operand]) {
          open.push_back(operand);
          ready = false;
        }
      if (!ready) continue;
      const Z3_ast ast = make(id, n);
      z_.inc_ref(context_, ast);
      translated_[id] = ast;
      if (n.op == Op::Var) variables_.push_back({id});
      open.pop_back();
    }
    return translated_[root.id];
  }

  static std::vector<std::uint32_t> operands(const Terms::Node& n) {
    switch (n.op) {
      case Op::Const:
      case Op::Var:
        return {};
      case Op::Not:
      case Op::Neg:
      case Op::Extract:
        return {n.a};
      case Op::Ite:
        return {n.a, n.b, n.c};
      default:
        return {n.a, n.b};
    }
  }

  Z3_ast make(std::uint32_t id, const Terms::Node& n) {
    const Z3_context c = context_;
    const auto at = [&](std::uint32_t i) { return translated_[i]; };
    const Z3_ast a = n.op == Op::Const || n.op == Op::Var ? nullptr : at(n.a);
    const auto b = [&] { return at(n.b); };
    switch (n.op) {
      case Op::Const:
        if (n.width == 0) return n.value ? z_.mk_true(c) : z_.mk_false(c);
        return z_.mk_unsigned_int64(c, n.value, z_.mk_bv_sort(c, n.width));
      case Op::Var:
        return z_.mk_const(c, z_.mk_int_symbol(c, static_cast<int>(id)),
                           n.width == 0 ? z_.mk_bool_sort(c) : z_.mk_bv_sort(c, n.width));
      case Op::Not:
        return z_.mk_not(c, a);
      case Op::And:
      case Op::Or: {
        const Z3_ast both[] = {a, b()};
        return n.op == Op::And ? z_.mk_and(c, 2, both) : z_.mk_or(c, 2, both);
      }
      case Op::Ite:
        return z_.mk_ite(c, a, b(), at(n.c));
      case Op::Eq:
        return z_.mk_eq(c, a, b());
      case Op::Ult:
        return z_.mk_bvult(c, a, b());
      case Op::Ule:
        return z_.mk_bvule(c, a, b());
      case Op::BvAnd:
        return z_.mk_bvand(c, a, b());
      case Op::BvOr:
        return z_.mk_bvor(c, a, b());
      case Op::BvXor:
        return z_.mk_bvxor(c, a, b());
      case Op::Add:
        return z_.mk_bvadd(c, a, b());
      case Op::Sub:
        return z_.mk_bvsub(c, a, b());
      case Op::Mul:
        return z_.mk_bvmul(c, a, b());
      case Op::Udiv:
        return z_.mk_bvudiv(c, a, b());
      case Op::Urem:
        return z_.mk_bvurem(c, a, b());
      case Op::Shl:
        return z_.mk_bvshl(c, a, b());
      case Op::Lshr:
        return z_.mk_bvlshr(c, a, b());
      case Op::Neg:
        return z_.mk_bvneg(c, a);
      case Op::Extract:
        return z_.mk_extract(c, static_cast<unsigned>(n.value) + n.width - 1, static_cast<unsigned>(n.value), a);
      case Op::Concat:
        return z_.mk_concat(c, a, b());
    }
    return nullptr;
  }

  const Api z_;
  Z3_context context_ = nullptr;
  Z3_solver solver_ = nullptr;
  std::vector<Z3_ast> translated_;  ///< by term id; null: not yet
  std::vector<Term> variables_;
};

}  // namespace

std::unique_ptr<Engine> make_z3(std::string& why_not) {
  Api api;
  if (!load(api, why_not)) return nullptr;
  return std::make_unique<Z3>(api);
}

std::string installed_version() {
  Api api;
  std::string why_not;
  return load(api, why_not) ? version_of(api) : std::string();
}

}  // namespace agp::solver

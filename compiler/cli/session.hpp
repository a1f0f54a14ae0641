#pragma once
#include <string>

#include "compiler/cli/context.hpp"

namespace agp::cli {

/// "1 file", "3 files".
std::string counted(std::size_t count, std::string_view one, std::string_view many);

/// "policy.agp:3:5"; nothing of what is in no file.
std::string place(const source::Files& files, source::Span span);

/// With -v: the root, the configuration and the files that were read, to standard error.
void say_what_was_read(Context& context, const driver::Session& session);

/// Takes over what the pipeline said about the run itself; returns the exit code so far.
int settle(Context& context, const driver::Session& session);

/// The one file a command needs, or a usage error.
std::optional<UsageError> one_file(const Context& context, std::string_view usage);

/// How a proof came out, as a word and, for a refutation or an undecided one, what to say about it.
struct ProofWords {
  std::string verdict, witness, reason;
};
ProofWords words(const verify::Verdict& verdict);

/// Obligations as text lines and as JSON.
std::string obligations_text(std::span<const verify::Obligation> obligations,
                             std::span<const std::string> not_verified);
/// "9 proved, 3 not verified", with what was refuted and what is unknown where there is some.
std::string obligations_summary(std::span<const verify::Obligation> obligations,
                                std::span<const std::string> not_verified);
nlohmann::ordered_json obligations_json(std::span<const verify::Obligation> obligations,
                                        std::span<const std::string> not_verified);

}  // namespace agp::cli

// The tree of verbs and options, as CLI11 holds it. Included only by the files that build or walk it, as the library's
// header is large.
//
// Threads: one tree belongs to one thread. Ownership: a tree borrows its Choice, which outlives it. Errors:
// CLI::ParseError, caught in app.cc.
#pragma once

#include <functional>
#include <string>

#include "CLI/CLI.hpp"
#include "tuner/cli/verbs.h"

namespace tuner::cli {

// What the command line chose.
struct Choice {
  ConnectOptions connect;
  std::string output = "table";
  bool quiet = false;
  bool no_color = false;
  std::function<absl::StatusOr<int>(Context&)> action;
};

// Adds a verb: `summary` for the list of verbs, `text` (a paragraph and examples) for its own help. `Options` is made
// here and lives as long as the tree, through the action that holds it.
template <typename Options>
CLI::App* AddVerb(CLI::App& app, Choice& choice, const std::string& group, const std::string& name,
                  const std::string& summary, const std::string& text,
                  absl::StatusOr<int> (*verb)(Context&, const Options&), std::shared_ptr<Options>& options) {
  options = std::make_shared<Options>();
  CLI::App* sub = app.add_subcommand(name, summary);
  sub->footer(text)->group(group)->fallthrough();
  sub->callback([&choice, verb, options] {
    choice.action = [verb, options](Context& context) { return verb(context, *options); };
  });
  return sub;
}

void AddJobVerbs(CLI::App& app, Choice& choice);
void AddTrialVerbs(CLI::App& app, Choice& choice);
void AddServerVerbs(CLI::App& app, Choice& choice);

// Completion script for "bash" or "zsh".
std::string CompletionScript(const CLI::App& app, const std::string& shell);

}  // namespace tuner::cli

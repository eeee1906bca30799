// Completion scripts, made from the tree of verbs, so that they cannot fall behind it.
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "tuner/cli/app_tree.h"

namespace tuner::cli {
namespace {

// "-o", "--output", of one app.
std::vector<std::string> FlagsOf(const CLI::App& app) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
    for (const std::string& name : option->get_snames()) flags.push_back("-" + name);
  }
  return flags;
}

// What a verb's positional arguments are: "job", "file", "none", or the words themselves.
std::string PositionalKind(const CLI::App& verb) {
  for (const CLI::Option* option : verb.get_options()) {
    if (!option->get_positional()) continue;
    const std::string type = option->get_type_name();
    if (absl::StartsWith(type, "JOB")) return "job";
    if (absl::StartsWith(type, "FILE")) return "file";
    if (absl::StartsWith(type, "ACTION")) return "create list revoke";
    if (absl::StartsWith(type, "SHELL")) return "bash zsh";
  }
  return "none";
}

std::string OneLine(const std::string& text) {
  return absl::StrReplaceAll(text, {{"'", ""}, {"\n", " "}, {"[", "("}, {"]", ")"}, {":", ","}});
}

constexpr const char* kJobs = "$(tuner list --limit 0 2>/dev/null | awk 'NR > 1 {print $1}')";

std::string Bash(const CLI::App& app, const std::vector<const CLI::App*>& verbs) {
  std::vector<std::string> names;
  std::string cases;
  for (const CLI::App* verb : verbs) {
    names.push_back(verb->get_name());
    const std::string kind = PositionalKind(*verb);
    const std::string words = kind == "job" ? kJobs : kind == "none" || kind == "file" ? "" : kind;
    absl::StrAppend(&cases, "    ", verb->get_name(), ") flags=\"", absl::StrJoin(FlagsOf(*verb), " "), "\"; words=\"",
                    words, "\"; files=", kind == "file" ? 1 : 0, " ;;\n");
  }
  return absl::StrCat(
      "# bash completion for tuner; made by `tuner completion bash`\n"
      "_tuner() {\n"
      "  local current=\"${COMP_WORDS[COMP_CWORD]}\" before=\"${COMP_WORDS[COMP_CWORD-1]}\" verb=\"\" word\n"
      "  local flags=\"\" words=\"\" files=0 all=\"",
      absl::StrJoin(FlagsOf(app), " "),
      "\"\n"
      "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
      "    case \" ",
      absl::StrJoin(names, " "),
      " \" in *\" $word \"*) verb=\"$word\"; break ;; esac\n"
      "  done\n"
      "  case \"$before\" in\n"
      "    --output|-o) COMPREPLY=($(compgen -W \"table json\" -- \"$current\")); return ;;\n"
      "    --data|--fetch|--out|--config|--ca|--tls-cert|--tls-key) COMPREPLY=($(compgen -f -- \"$current\")); return "
      ";;\n"
      "  esac\n"
      "  if [[ -z $verb ]]; then\n"
      "    COMPREPLY=($(compgen -W \"",
      absl::StrJoin(names, " "),
      " $all\" -- \"$current\")); return\n"
      "  fi\n"
      "  case \"$verb\" in\n",
      cases,
      "  esac\n"
      "  if [[ $current == -* ]]; then COMPREPLY=($(compgen -W \"$flags $all\" -- \"$current\")); return; fi\n"
      "  if [[ $files == 1 ]]; then COMPREPLY=($(compgen -f -- \"$current\")); return; fi\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\") $(compgen -f -- \"$current\"))\n"
      "}\n"
      "complete -o filenames -F _tuner tuner\n");
}

std::string Zsh(const CLI::App& app, const std::vector<const CLI::App*>& verbs) {
  const auto flags = [](const CLI::App& of) {
    std::string text;
    for (const CLI::Option* option : of.get_options()) {
      if (option->get_lnames().empty()) continue;
      const bool takes_value = option->get_items_expected_max() > 0;
      absl::StrAppend(&text, " '--", option->get_lnames().front(), "[", OneLine(option->get_description()), "]",
                      takes_value ? ":value:_files" : "", "'");
    }
    return text;
  };
  std::string list, cases;
  for (const CLI::App* verb : verbs) {
    absl::StrAppend(&list, "    '", verb->get_name(), ":", OneLine(verb->get_description()), "'\n");
    const std::string kind = PositionalKind(*verb);
    const std::string rest = kind == "job"    ? absl::StrCat("'*:job:(", kJobs, ")'")
                             : kind == "file" ? "'*:file:_files'"
                             : kind == "none" ? ""
                                              : absl::StrCat("'*:word:(", kind, ")'");
    // Job names are looked up when Tab is pressed, so their list stands in double quotes.
    const std::string quoted = kind == "job" ? "\"*:job:($jobs)\"" : rest;
    absl::StrAppend(&cases, "    ", verb->get_name(), ")", kind == "job" ? absl::StrCat(" jobs=(", kJobs, ");") : "",
                    " _arguments", flags(*verb), " $common ", quoted, " ;;\n");
  }
  return absl::StrCat("#compdef tuner\n# zsh completion for tuner; made by `tuner completion zsh`\n_tuner() {\n",
                      "  local -a verbs common jobs\n  verbs=(\n", list, "  )\n  common=(", flags(app), ")\n",
                      "  if (( CURRENT == 2 )); then _describe 'verb' verbs; return; fi\n",
                      "  local verb=${words[2]}\n  shift words; (( CURRENT-- ))\n  case $verb in\n", cases,
                      "  esac\n}\n", "_tuner \"$@\"\n");
}

}  // namespace

std::string CompletionScript(const CLI::App& app, const std::string& shell) {
  const std::vector<const CLI::App*> verbs = app.get_subcommands([](const CLI::App*) { return true; });
  return shell == "bash" ? Bash(app, verbs) : Zsh(app, verbs);
}

}  // namespace tuner::cli

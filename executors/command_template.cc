#include "executors/command_template.h"

#include <algorithm>
#include <functional>
#include <string_view>

#include "absl/strings/str_cat.h"

namespace tuner::executors {
namespace {

struct Walk {
  std::string text;     // with braces resolved and names replaced
  std::string problem;  // a sentence, or empty
  int placeholders = 0;
};

// Reads one argument; `value` gives the text for a name.
Walk Expand(std::string_view argument, const std::function<std::string(const std::string&)>& value) {
  Walk walk;
  for (size_t i = 0; i < argument.size(); ++i) {
    const char c = argument[i];
    if (c != '{' && c != '}') {
      walk.text += c;
    } else if (i + 1 < argument.size() && argument[i + 1] == c) {
      walk.text += c;
      ++i;
    } else if (c == '}') {
      walk.problem = "holds a '}' without its '{'; write '}}' for a brace";
      return walk;
    } else {
      const size_t end = argument.find_first_of("{}", i + 1);
      if (end == std::string_view::npos || argument[end] == '{') {
        walk.problem = "holds a '{' without its '}'; write '{{' for a brace";
        return walk;
      }
      ++walk.placeholders;
      walk.text += value(std::string(argument.substr(i + 1, end - i - 1)));
      i = end;
    }
  }
  return walk;
}

}  // namespace

core::Problems ValidateCommand(const std::vector<std::string>& command, const std::set<std::string>& names) {
  core::Problems problems;
  if (command.empty() || command[0].empty()) {
    problems.push_back(
        {command.empty() ? "command" : "command[0]", "is empty; give the program to run, then its arguments"});
  }
  for (size_t i = 0; i < command.size(); ++i) {
    const std::string path = absl::StrCat("command[", i, "]");
    if (command[i].find('\0') != std::string::npos) problems.push_back({path, "holds a NUL character; remove it"});
    const Walk walk = Expand(command[i], [&](const std::string& name) {
      if (!names.contains(name)) {
        problems.push_back(
            {path, absl::StrCat("names '{", name,
                                "}', which is no hyperparameter of this job; correct the name, or write '{{", name,
                                "}}' for the text itself")});
      }
      return std::string();
    });
    if (!walk.problem.empty()) problems.push_back({path, walk.problem});
  }
  return problems;
}

std::vector<std::string> ParameterArguments(const core::ParameterMap& tuned, const core::ParameterMap& fixed) {
  std::vector<std::string> arguments;
  for (const core::ParameterMap* parameters : {&tuned, &fixed}) {
    for (const auto& [name, value] : *parameters) {
      arguments.push_back(absl::StrCat("--", name));
      arguments.push_back(core::FormatValue(value));
    }
  }
  return arguments;
}

absl::StatusOr<std::vector<std::string>> ExpandCommand(const std::vector<std::string>& command,
                                                       const core::ParameterMap& tuned,
                                                       const core::ParameterMap& fixed) {
  std::vector<std::string> expanded;
  int placeholders = 0;
  for (const std::string& argument : command) {
    Walk walk = Expand(argument, [&](const std::string& name) {
      for (const core::ParameterMap* parameters : {&tuned, &fixed}) {
        if (auto it = parameters->find(name); it != parameters->end()) return core::FormatValue(it->second);
      }
      return std::string();
    });
    if (!walk.problem.empty())
      return absl::InvalidArgumentError(absl::StrCat("command argument '", argument, "' ", walk.problem));
    placeholders += walk.placeholders;
    expanded.push_back(std::move(walk.text));
  }
  if (expanded.empty() || expanded[0].empty()) return absl::InvalidArgumentError("the command names no program");
  if (placeholders == 0) {
    for (std::string& argument : ParameterArguments(tuned, fixed)) expanded.push_back(std::move(argument));
  }
  return expanded;
}

}  // namespace tuner::executors

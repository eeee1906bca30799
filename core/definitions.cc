#include "core/definitions.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/rng.h"

namespace tuner::core {
namespace {

// Of the seeds of definitions behind the first one.
constexpr uint32_t kSeedStream = 71;
constexpr size_t kMaxDefinitionName = 64;

bool IsDefinitionName(const std::string& name) {
  if (name.empty() || name.size() > kMaxDefinitionName) return false;
  return std::ranges::all_of(name, [](char c) { return absl::ascii_isalnum(c) || c == '-'; });
}

}  // namespace

std::optional<int> FindDefinition(const JobSpec& spec, const std::string& name) {
  for (int i = 0; i < DefinitionCount(spec); ++i) {
    if (DefinitionAt(spec, i).definition == name) return i;
  }
  return std::nullopt;
}

int DefinitionIndex(const JobSpec& spec, const Trial& trial) {
  return FindDefinition(spec, trial.definition).value_or(0);
}

bool SameObjective(const JobSpec& spec) {
  const Objective& first = DefinitionAt(spec, 0).objective;
  return std::ranges::all_of(spec.definitions, [&first](const JobSpec& definition) {
    return definition.objective.metric == first.metric && definition.objective.goal == first.goal;
  });
}

void SetSeed(JobSpec& spec, uint64_t seed) {
  spec.random_seed = seed;
  for (size_t i = 0; i < spec.definitions.size(); ++i) {
    spec.definitions[i].random_seed = i == 0 ? seed : Rng(seed, i, kSeedStream).NextUint64() >> 33;
  }
}

std::string PathInJob(const JobSpec& spec, int index, const std::string& path) {
  if (spec.definitions.empty()) return path;
  for (const char* field : {"objective", "parameters", "static_parameters", "constraints", "trial"}) {
    if (!absl::StartsWith(path, field)) continue;
    const size_t end = std::string(field).size();
    if (path.size() > end && !absl::StrContains(".[:", path[end])) continue;
    return absl::StrCat("definitions[", index, "].", path);
  }
  return path;
}

Problems ValidateDefinitions(const JobSpec& spec) {
  Problems problems;
  if (spec.definitions.empty()) return problems;
  const auto add = [&problems](std::string path, std::string text) {
    problems.push_back({std::move(path), std::move(text)});
  };
  if (DefinitionCount(spec) > kMaxDefinitions) {
    add("definitions", absl::StrCat("has ", DefinitionCount(spec), " entries; give at most ", kMaxDefinitions));
  }
  std::set<std::string> names;
  for (int i = 0; i < DefinitionCount(spec); ++i) {
    const std::string& name = DefinitionAt(spec, i).definition;
    const std::string path = absl::StrCat("definitions[", i, "].name");
    if (!IsDefinitionName(name)) {
      add(path, absl::StrCat("\"", name, "\" is not a definition's name; give 1 to ", kMaxDefinitionName,
                             " letters, digits or '-'"));
    } else if (!names.insert(name).second) {
      add(path, absl::StrCat("\"", name, "\" is the name of another definition too; give each its own"));
    }
  }
  if (!spec.additional_objectives.empty()) {
    add("additional_objectives",
        "make a Pareto front of one search, and with definitions each has its own objective; leave them out, or bound "
        "the metrics by outcome_constraints");
  }
  if (spec.warm_start.has_value()) {
    add("warm_start", "is for a job with one definition; leave it out, or create one job for each definition");
  }
  return problems;
}

}  // namespace tuner::core

// The training definitions of a job: several that it names, or the job itself as the only one, without a name. Each is
// searched by a strategy of its own; a trial is of one of them. Pure functions; any thread.
#pragma once

#include <optional>
#include <string>

#include "core/job_spec.h"
#include "core/problem.h"
#include "core/trial.h"

namespace tuner::core {

inline constexpr int kMaxDefinitions = 10;

inline int DefinitionCount(const JobSpec& spec) {
  return spec.definitions.empty() ? 1 : static_cast<int>(spec.definitions.size());
}
// Expects index < DefinitionCount. Lives as long as `spec`.
inline const JobSpec& DefinitionAt(const JobSpec& spec, int index) {
  return spec.definitions.empty() ? spec : spec.definitions[static_cast<size_t>(index)];
}
inline JobSpec& DefinitionAt(JobSpec& spec, int index) {
  return spec.definitions.empty() ? spec : spec.definitions[static_cast<size_t>(index)];
}
// By its name; the job itself has the empty one. nullopt: there is none.
std::optional<int> FindDefinition(const JobSpec& spec, const std::string& name);
// Of a trial of the job.
int DefinitionIndex(const JobSpec& spec, const Trial& trial);
inline const JobSpec& DefinitionOf(const JobSpec& spec, const Trial& trial) {
  return DefinitionAt(spec, DefinitionIndex(spec, trial));
}

// Whether the values of all definitions' trials may be compared: their objectives have the same metric and goal.
bool SameObjective(const JobSpec& spec);

// Gives each of several definitions a seed of its own that follows from the job's.
void SetSeed(JobSpec& spec, uint64_t seed);

// The path of a field in the specification of definition `index` as one in the job's: "parameters[0].double" becomes
// "definitions[1].parameters[0].double", and "limits.max_trials" stays. Text behind the path stays as it is. Without
// effect on a job without definitions.
std::string PathInJob(const JobSpec& spec, int index, const std::string& path);

// What is wrong with the definitions beside each other: their names and number, and what is not to be had with several.
Problems ValidateDefinitions(const JobSpec& spec);

}  // namespace tuner::core

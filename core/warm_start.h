// Jobs that a new one starts from: what is kept of them, and which may be parents.
//
// Plain values; the functions are pure; any thread. Facts: docs/warm-start.md.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/job.h"
#include "core/job_spec.h"
#include "core/problem.h"
#include "core/trial.h"

namespace tuner::core {

// At most so many parents, and so many changes of fixed values between IDENTICAL jobs.
inline constexpr size_t kMaxParents = 5;
inline constexpr int64_t kMaxFixedChanges = 10;

// Why `parent` in this state may not be a parent of `child`: other objectives, other names or kinds of parameters, too
// many changes. Paths are `path` ("warm_start.parents[0]"). Expects child.warm_start.
Problems ValidateParent(const JobSpec& child, const JobSpec& parent, JobStatus status, const std::string& path);

// Whether the trial completed with an objective, failed or is infeasible: what it came to is all that there is to know.
bool RanToItsEnd(const Trial& trial);

// What a child keeps of a parent: finished trials that ran to their end or came to a rung, in the order in which they
// finished.
ParentJob ParentOf(const JobHeader& header, const JobSpec& spec, const std::vector<Trial>& trials);

// Of all parents' completed trials that keep the child's outcome constraints the one with the best objective, of equals
// the first parent's first. nullopt: there is none, or the child has several objectives.
std::optional<ParentTrial> BestOfParents(const JobSpec& child, const ParentJobs& parents);

}  // namespace tuner::core

// Early stopping, health rules and resources of a specification: wire to core, with all that is wrong with them. Pure
// functions; any thread.
#pragma once

#include <optional>
#include <vector>

#include "core/problem.h"
#include "core/rules.h"
#include "tuner/v1/tuning_job.pb.h"

namespace tuner::convert {

// nullopt: there is none, or it cannot be read (then with a problem).
std::optional<core::EarlyStoppingRule> ReadEarlyStopping(const v1::TuningJobSpec& spec, core::Problems& problems);
std::vector<core::HealthRule> ReadHealthRules(const v1::TuningJobSpec& spec, core::Problems& problems);
// Of strategies that give each trial a resource; nullopt for the others.
std::optional<core::Resources> ReadResources(const v1::TuningJobSpec& spec, core::Problems& problems);

}  // namespace tuner::convert

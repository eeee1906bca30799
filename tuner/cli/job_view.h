// How jobs and trials are put into words and columns. Pure functions; any thread.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tuner/cli/format.h"
#include "tuner/v1/tuning_job.pb.h"

namespace tuner::cli {

// The last component of a resource name: "xgboost", "7".
std::string IdOf(const std::string& name);
std::string StateText(v1::TuningJob::State state);
std::string StateText(v1::Trial::State state);
bool IsTerminal(v1::TuningJob::State state);
bool IsTerminal(v1::Trial::State state);

// Trials of the job itself (imported ones not counted): those that ended, and those pending, running or stopping.
int DoneTrials(const v1::TuningJob& job);
int ActiveTrials(const v1::TuningJob& job);
// "12/50", or "12" without a limit.
std::string DoneOfAll(const v1::TuningJob& job);

// "minimize validation:logloss".
std::string ObjectiveText(const v1::Objective& objective);
std::string StrategyText(const v1::Strategy& strategy);
// "double 0.01 to 0.5, log".
std::string DomainText(const v1::Parameter& parameter);

// Names of all parameters in the order of the specification, children behind their parents, definitions one after the
// other.
std::vector<std::string> ParameterNames(const v1::TuningJobSpec& spec);
// The search space's parameters by the same order.
std::vector<const v1::Parameter*> AllParameters(const v1::TuningJobSpec& spec);

// The best trial, or of several objectives the first on the front; null: there is none yet.
// "0.1 by trial 3 of xgb-1: eta=0.5", of a warm start whose parents count; else empty.
std::string OverallBestText(const v1::TuningJob& job);
// "xgb-1, xgb-2 (identical)": the parents of a warm start, or the children of a job.
std::string ParentsText(const v1::TuningJobSpec& spec);
std::string ChildrenText(const v1::TuningJob& job);
const v1::Trial* BestTrial(const v1::TuningJob& job);

// "eta=0.1 max_depth=4", in the order of `names`, then what is not among them.
std::string ParametersText(const v1::Trial& trial, const std::vector<std::string>& names);
// "3 delivered, 1 to be delivered", or "" for a job that tells nobody.
std::string NotificationsText(const v1::TuningJob& job);

// Two columns: parameter and value.
Table ParameterTable(const v1::Trial& trial, const std::vector<std::string>& names);

// Time since the job was created, to its end or to now.
absl::Duration Elapsed(const v1::TuningJob& job, absl::Time now);
// Time of all attempts.
absl::Duration RunTime(const v1::Trial& trial);
// A reason on one line: its first, and where that announces more ("stderr ends with:") the last.
std::string ReasonLine(const std::string& reason);
// Folder or URI of the last attempt that has one.
std::string ArtifactPath(const v1::Trial& trial);

}  // namespace tuner::cli

// How several objectives and outcome constraints are put into words and columns. Pure functions; any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tuner/cli/format.h"
#include "tuner/v1/tuning_job.pb.h"

namespace tuner::cli {

// The objective, then the additional ones; or those of all definitions, each once.
std::vector<const v1::Objective*> Objectives(const v1::TuningJobSpec& spec);
// "minimize loss, maximize f1"; of definitions that differ "xgb: minimize loss, mlp: maximize f1".
std::string ObjectivesText(const v1::TuningJobSpec& spec);
// "size <= 5", "1 <= size <= 2".
std::string ConstraintText(const v1::OutcomeConstraint& constraint);
std::string ConstraintsText(const v1::TuningJobSpec& spec);
// Metrics beside the first objective's that decide on a trial: of the other objectives, then constrained ones. Each
// once.
std::vector<std::string> FurtherMetrics(const v1::TuningJobSpec& spec);

std::optional<double> FinalValue(const v1::Trial& trial, const std::string& metric);
// "loss 0.1, size 5": the objectives that the trial has values of.
std::string ValuesText(const v1::TuningJobSpec& spec, const v1::Trial& trial);
// Of a completed trial the constraints that it does not keep: "size 6, not <= 5"; else empty.
std::string BrokenText(const v1::TuningJobSpec& spec, const v1::Trial& trial);
bool OnFront(const v1::TuningJob& job, const v1::Trial& trial);
// "best", "front", "breaks size <= 5", or nothing.
std::string Mark(const v1::TuningJob& job, const v1::Trial& trial);
// What stands in a column of best values: the value, "front of 12", or "by definition" where those differ in objective.
std::string BestCell(const v1::TuningJob& job);
// Why a job has no best trial or front.
std::string NoBestText(const v1::TuningJob& job);
// The front, the best of the first objective first: number, objectives, constrained metrics, parameters.
Table FrontTable(const v1::TuningJob& job);

}  // namespace tuner::cli

// Trials as CSV and JSON files, out and in.
//
// Pure functions; any thread. Errors: INVALID_ARGUMENT with the line and column of the file, and what should stand
// there.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tuner/v1/tuning_service.pb.h"

namespace tuner::cli {

// RFC 4180. Columns: number, state, origin, objective, best_objective, run_seconds, create_time, end_time, reason, with
// constraints keeps_constraints and with several objectives on_pareto_front (of completed trials), then parameters in
// the order of the specification and final metrics by name.
std::string TrialsToCsv(const v1::TuningJob& job, const v1::ListTrialsResponse& trials);

// A text as the parameter's kind wants it: it stays text for a category, becomes a number or a truth value for the
// others.
absl::StatusOr<google::protobuf::Value> TypedValue(const v1::Parameter& parameter, const std::string& text);

struct ImportedTrials {
  std::vector<v1::Trial> trials;  // each COMPLETED, FAILED or INFEASIBLE
  int skipped = 0;                // had not ended, or were stopped before their end
};
// A column is a parameter of the job, one of export's own columns, or else a metric. Without a state, a row with the
// values of all objectives and constrained metrics is COMPLETED, one without FAILED.
absl::StatusOr<ImportedTrials> TrialsFromCsv(const v1::TuningJobSpec& spec, const std::string& text);
// A list of objects with the same names, or what export wrote.
absl::StatusOr<ImportedTrials> TrialsFromJson(const v1::TuningJobSpec& spec, const std::string& text);

// Rows of fields; quotes, line ends inside of quotes, CRLF and a byte order mark are understood. INVALID_ARGUMENT: a
// quote that does not end.
absl::StatusOr<std::vector<std::vector<std::string>>> ParseCsv(const std::string& text);
// In quotes where it must be.
std::string CsvField(const std::string& text);

}  // namespace tuner::cli

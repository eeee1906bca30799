// What pictures of a job's model need to be told by the service: which points to ask for, and what the answers mean.
//
// Pure functions; any thread. Ownership: values.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "tuner/cli/plot_data.h"
#include "tuner/v1/tuning_service.pb.h"

namespace tuner::cli {

// A grid without predictions over two parameters; empty names: the two that matter most by functional ANOVA, of those
// that are active in the best trial (or the first on the front) and that no other parameter depends on. The others stay
// as in that trial. INVALID_ARGUMENT: a name that is none of them. FAILED_PRECONDITION: no best trial, or too few.
absl::StatusOr<PlotModel::Grid> ChooseGrid(const v1::TuningJob& job, const v1::ExplainTuningJobResponse& explained,
                                           const std::string& x, const std::string& y);

// The grid's points, in the order of its predictions.
void AddGridPoints(const v1::TuningJob& job, const PlotModel::Grid& grid, v1::ExplainTuningJobRequest& request);

// `explained` answers a request with the points of `grid`, or with none.
PlotModel MakePlotModel(const v1::ExplainTuningJobResponse& explained, std::optional<PlotModel::Grid> grid);

}  // namespace tuner::cli

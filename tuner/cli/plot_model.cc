#include "tuner/cli/plot_model.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tuner/cli/job_view.h"

namespace tuner::cli {
namespace {

constexpr size_t kResolution = 41;  // points along a continuous axis

google::protobuf::Value NumberValue(double number) {
  google::protobuf::Value value;
  value.set_number_value(number);
  return value;
}

// The value at a coordinate of a continuous axis: PlotAxis::Position backwards.
double ValueAt(const PlotAxis& axis, double position) {
  if (axis.scale == PlotAxis::Scale::kLog) return axis.min * std::pow(axis.max / axis.min, position);
  if (axis.scale == PlotAxis::Scale::kReverseLog) {
    const double low = -std::log1p(-axis.min), high = -std::log1p(-axis.max);
    return -std::expm1(-(low + (high - low) * position));
  }
  return axis.min + (axis.max - axis.min) * position;
}

void AddListed(const std::vector<double>& numbers, GridAxis& axis) {
  axis.listed = numbers;
  for (const double number : numbers) axis.values.push_back(NumberValue(number));
}

// Every so many-th of the whole numbers from min to max, with both ends.
std::vector<double> WholeNumbers(double min, double max, double step) {
  const double count = std::floor((max - min) / step) + 1;
  const double stride = std::max(1.0, std::ceil((count - 1) / (kResolution - 1)));
  std::vector<double> numbers;
  for (double i = 0; i < count; i += stride) numbers.push_back(min + i * step);
  return numbers;
}

GridAxis GridAxisOf(const v1::Parameter& parameter, PlotAxis plotted) {
  GridAxis axis;
  axis.axis = std::move(plotted);
  switch (parameter.domain_case()) {
    case v1::Parameter::kDouble:
      if (parameter.double_().has_step()) {
        AddListed(WholeNumbers(axis.axis.min, axis.axis.max, parameter.double_().step()), axis);
        break;
      }
      for (size_t i = 0; i < kResolution; ++i) {
        axis.values.push_back(NumberValue(
            std::clamp(ValueAt(axis.axis, static_cast<double>(i) / (kResolution - 1)), axis.axis.min, axis.axis.max)));
      }
      break;
    case v1::Parameter::kInteger:
      AddListed(WholeNumbers(axis.axis.min, axis.axis.max,
                             static_cast<double>(parameter.integer().has_step() ? parameter.integer().step() : 1)),
                axis);
      break;
    case v1::Parameter::kDiscrete: {
      std::vector<double> numbers(parameter.discrete().values().begin(), parameter.discrete().values().end());
      std::sort(numbers.begin(), numbers.end());
      AddListed(numbers, axis);
      break;
    }
    case v1::Parameter::kCategorical:
    case v1::Parameter::kBoolean:
      for (size_t i = 0; i < axis.axis.categories.size(); ++i) {
        axis.listed.push_back(static_cast<double>(i));
        google::protobuf::Value& value = axis.values.emplace_back();
        if (parameter.has_boolean()) {
          value.set_bool_value(i == 1);
        } else {
          value.set_string_value(axis.axis.categories[i]);
        }
      }
      break;
    case v1::Parameter::DOMAIN_NOT_SET:
      break;
  }
  return axis;
}

}  // namespace

double GridAxis::Coordinate(size_t index) const {
  return values.size() > 1 ? static_cast<double>(index) / static_cast<double>(values.size() - 1) : 0.5;
}

double GridAxis::CoordinateOf(double value) const {
  if (listed.empty()) return axis.Position(value);
  const auto above = std::lower_bound(listed.begin(), listed.end(), value);
  const size_t index = static_cast<size_t>(above - listed.begin());
  if (above == listed.end()) return Coordinate(listed.size() - 1);
  if (index == 0 || *above == value) return Coordinate(index);
  const double share = (value - listed[index - 1]) / (*above - listed[index - 1]);
  return Coordinate(index - 1) + share * (Coordinate(index) - Coordinate(index - 1));
}

absl::StatusOr<PlotModel::Grid> ChooseGrid(const v1::TuningJob& job, const v1::ExplainTuningJobResponse& explained,
                                           const std::string& x, const std::string& y) {
  const v1::Trial* centre = BestTrial(job);
  if (centre == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("job ", IdOf(job.name()), " has no best trial yet to draw a contour around."));
  }
  const PlotData axes = MakePlotData(job, {});
  struct Candidate {
    GridAxis axis;
    double share;
  };
  std::vector<Candidate> candidates;
  const std::vector<const v1::Parameter*> parameters = AllParameters(job.spec());
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (parameters[i]->children_size() > 0 || centre->parameters().count(parameters[i]->name()) == 0) continue;
    GridAxis axis = GridAxisOf(*parameters[i], axes.axes[i]);
    if (axis.values.size() < 2) continue;
    const auto share = explained.fanova_importance().find(parameters[i]->name());
    candidates.push_back({std::move(axis), share == explained.fanova_importance().end() ? 0 : share->second});
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.share > b.share; });
  PlotModel::Grid grid;
  grid.around = centre->number();
  const auto take = [&](const std::string& name, GridAxis& axis) {
    const auto found = std::find_if(candidates.begin(), candidates.end(), [&](const Candidate& candidate) {
      return name.empty() ? candidate.axis.axis.name != x && candidate.axis.axis.name != y
                          : candidate.axis.axis.name == name;
    });
    if (found == candidates.end()) return false;
    axis = found->axis;
    candidates.erase(found);
    return true;
  };
  for (const auto& [name, axis] : {std::pair(&x, &grid.x), std::pair(&y, &grid.y)}) {
    const std::string names = absl::StrJoin(
        candidates, ", ", [](std::string* out, const Candidate& candidate) { out->append(candidate.axis.axis.name); });
    if (take(*name, *axis)) continue;
    if (!name->empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", *name, "\" is no axis for a contour of this job; choose of: ", names, "."));
    }
    return absl::FailedPreconditionError("a contour needs two parameters that are active in the best trial.");
  }
  return grid;
}

void AddGridPoints(const v1::TuningJob& job, const PlotModel::Grid& grid, v1::ExplainTuningJobRequest& request) {
  const v1::Trial& centre = *BestTrial(job);
  for (const google::protobuf::Value& y : grid.y.values) {
    for (const google::protobuf::Value& x : grid.x.values) {
      auto& parameters = *request.add_points()->mutable_parameters();
      parameters = centre.parameters();
      parameters[grid.x.axis.name] = x;
      parameters[grid.y.axis.name] = y;
    }
  }
}

PlotModel MakePlotModel(const v1::ExplainTuningJobResponse& explained, std::optional<PlotModel::Grid> grid) {
  PlotModel model;
  for (const auto& [name, share] : explained.fanova_importance()) {
    const auto by_length = explained.length_scale_importance().find(name);
    model.importance.push_back(
        {name, by_length == explained.length_scale_importance().end() ? 0 : by_length->second, share});
  }
  std::sort(model.importance.begin(), model.importance.end(),
            [](const auto& a, const auto& b) { return a.fanova != b.fanova ? a.fanova > b.fanova : a.name < b.name; });
  for (const auto& left_out : explained.left_out()) {
    model.left_out.push_back({left_out.trial(), left_out.observed(), left_out.mean(), left_out.standard_deviation()});
  }
  if (grid) {
    for (const auto& prediction : explained.predictions()) {
      grid->means.push_back(prediction.mean());
      grid->deviations.push_back(prediction.standard_deviation());
    }
    if (grid->means.size() == grid->x.values.size() * grid->y.values.size()) model.grid = std::move(grid);
  }
  return model;
}

}  // namespace tuner::cli

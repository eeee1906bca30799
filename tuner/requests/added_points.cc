#include "tuner/requests/added_points.h"

#include <cmath>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/definitions.h"
#include "core/objectives.h"
#include "core/problem.h"
#include "core/trial_filter.h"
#include "proto/convert.h"
#include "tuner/requests/problems.h"

namespace tuner::requests {
namespace {

using Point = core::TrialsAdded::Point;

class PointReader {
 public:
  PointReader(const core::JobSpec& job, core::Problems& problems) : job_(job), problems_(problems) {}

  Point Read(const v1::Trial& wire, const std::string& path) {
    Point point;
    point.definition = wire.definition();
    if (!ReadDefinition(path, point)) return point;
    ReadState(wire, path, point);
    ReadParameters(wire, path, point);
    point.reason = wire.reason();
    for (const auto& [name, value] : wire.final_metrics()) {
      if (name.empty() || name.size() > 256) {
        Add(absl::StrCat(path, ".final_metrics"), "has a name that is not of 1 to 256 characters");
      }
      point.final_metrics[name] = value;
    }
    CheckOutcome(path, point);
    return point;
  }

 private:
  void Add(std::string path, std::string text) { problems_.push_back({std::move(path), std::move(text)}); }

  bool ReadDefinition(const std::string& path, const Point& point) {
    const std::optional<int> found = core::FindDefinition(job_, point.definition);
    if (found) {
      spec_ = &core::DefinitionAt(job_, *found);
      return true;
    }
    const auto name = [](std::string* out, const core::JobSpec& definition) { out->append(definition.definition); };
    const std::string names = absl::StrJoin(job_.definitions, ", ", name);
    Add(absl::StrCat(path, ".definition"),
        job_.definitions.empty() ? "is given, but the job has only one definition; leave it out"
        : point.definition.empty()
            ? absl::StrCat("is missing; give one of ", names)
            : absl::StrCat("\"", point.definition, "\" is none of the job's; give one of ", names));
    return false;
  }

  void ReadParameters(const v1::Trial& wire, const std::string& path, Point& point) {
    core::ParameterMap given;
    bool readable = true;
    for (const auto& [name, value] : wire.parameters()) {
      absl::StatusOr<core::ParameterValue> read = convert::FromProto(value);
      if (read.ok()) {
        given.emplace(name, *std::move(read));
      } else {
        readable = false;
        Add(absl::StrCat(path, ".parameters.", name), std::string(read.status().message()));
      }
    }
    if (!readable) return;
    absl::StatusOr<core::ParameterMap> canonical = spec_->space.Canonical(given);
    if (!canonical.ok()) return Add(path, std::string(canonical.status().message()));
    point.parameters = *std::move(canonical);
    // What was measured is data, whatever it breaks; what is to be run must keep the constraints.
    if (point.state != core::TrialState::kQueued) return;
    if (const std::optional<int> broken = spec_->constraints.Broken(point.parameters)) {
      Add(path, absl::StrCat(spec_->constraints.Quote(*broken),
                             "; change its parameters, or import it with a state if it has been run"));
    }
  }

  void ReadState(const v1::Trial& wire, const std::string& path, Point& point) {
    switch (wire.state()) {
      case v1::Trial::STATE_UNSPECIFIED:
      case v1::Trial::QUEUED:
        point.state = core::TrialState::kQueued;
        return;
      case v1::Trial::COMPLETED:
        point.state = core::TrialState::kCompleted;
        return;
      case v1::Trial::FAILED:
        point.state = core::TrialState::kFailed;
        return;
      case v1::Trial::INFEASIBLE:
        point.state = core::TrialState::kInfeasible;
        return;
      default:
        Add(absl::StrCat(path, ".state"), "cannot be imported; leave it out, or use COMPLETED, FAILED or INFEASIBLE");
    }
  }

  void CheckOutcome(const std::string& path, const Point& point) {
    if (point.state == core::TrialState::kQueued && !point.final_metrics.empty()) {
      Add(absl::StrCat(path, ".final_metrics"),
          "are given for a point that is to be run; set state to COMPLETED to import it");
    }
    if (point.state != core::TrialState::kCompleted) return;
    std::set<std::string> named;
    for (size_t i = 0; i < core::ObjectiveCount(*spec_); ++i) {
      const std::string& metric = core::ObjectiveAt(*spec_, i).metric;
      named.insert(metric);
      CheckFinalValue(path, point, "objective", metric);
    }
    for (const core::OutcomeConstraint& constraint : spec_->outcome_constraints) {
      if (named.insert(constraint.metric).second) CheckFinalValue(path, point, "constrained", constraint.metric);
    }
  }

  void CheckFinalValue(const std::string& path, const Point& point, const char* what, const std::string& metric) {
    const auto value = point.final_metrics.find(metric);
    if (value != point.final_metrics.end() && std::isfinite(value->second)) return;
    Add(absl::StrCat(path, ".final_metrics"),
        absl::StrCat("has no finite value of the ", what, " metric \"", metric, "\"; give one"));
  }

  const core::JobSpec& job_;
  const core::JobSpec* spec_ = nullptr;  // of the definition that is read
  core::Problems& problems_;
};

}  // namespace

absl::StatusOr<core::TrialsAdded> ReadAddedPoints(const v1::AddTrialsRequest& request, const core::JobSpec& spec) {
  core::Problems problems;
  core::TrialsAdded added;
  added.request_id = request.request_id();
  added.import_done = request.import_done();
  if (request.trials().empty() || request.trials_size() > 1000) {
    problems.push_back({"trials", absl::StrCat("has ", request.trials_size(), " entries; give 1 to 1000")});
    return InvalidArgument(problems);
  }
  PointReader reader(spec, problems);
  for (int i = 0; i < request.trials_size(); ++i) {
    added.points.push_back(reader.Read(request.trials(i), absl::StrCat("trials[", i, "]")));
  }
  if (!problems.empty()) return InvalidArgument(problems);
  return added;
}

}  // namespace tuner::requests

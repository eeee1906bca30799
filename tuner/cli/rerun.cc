#include "tuner/cli/rerun.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tuner/cli/job_view.h"
#include "tuner/cli/text.h"
#include "tuner/requests/spec_diff.h"

namespace tuner::cli {
namespace {

template <typename Value, typename Text>
void CompareOne(const char* name, bool stored_has, Value stored, bool file_has, Value file, Text text,
                LimitChanges& changes) {
  // A limit that the file leaves out stays as it is: it may have been resolved by the server.
  if (!file_has || (stored_has && stored == file)) return;
  if (stored_has && file > stored) {
    changes.raised.push_back(absl::StrCat(name, " from ", text(stored), " to ", text(file)));
  } else {
    changes.refused.push_back(absl::StrCat("limits.", name, ": the job has ", stored_has ? text(stored) : "none",
                                           ", the file says ", text(file)));
  }
}

std::string OrNone(const std::string& json) { return json.empty() ? "nothing" : json; }

}  // namespace

LimitChanges CompareLimits(const v1::Limits& stored, const v1::Limits& file) {
  LimitChanges changes;
  const auto count = [](int value) { return absl::StrCat(value); };
  CompareOne("max_trials", stored.has_max_trials(), stored.max_trials(), file.has_max_trials(), file.max_trials(),
             count, changes);
  CompareOne("max_parallel_trials", true, stored.has_max_parallel_trials() ? stored.max_parallel_trials() : 1,
             file.has_max_parallel_trials(), file.max_parallel_trials(), count, changes);
  CompareOne("max_failed_trials", stored.has_max_failed_trials(), stored.max_failed_trials(),
             file.has_max_failed_trials(), file.max_failed_trials(), count, changes);
  CompareOne("max_run_time", stored.has_max_run_time(), ToDuration(stored.max_run_time()), file.has_max_run_time(),
             ToDuration(file.max_run_time()), DurationText, changes);
  CompareOne(
      "max_cost", stored.has_max_cost(), stored.max_cost(), file.has_max_cost(), file.max_cost(),
      [](double value) { return Number(value); }, changes);
  return changes;
}

absl::StatusOr<Rerunning> Rerun(Client& client, v1::TuningJob job, const JobSource& source) {
  LimitChanges limits = CompareLimits(job.spec().limits(), source.spec.limits());
  std::vector<std::string> differences = std::move(limits.refused);
  for (const requests::SpecDifference& difference :
       requests::DiffFromStored(job.spec(), source.spec, source.base_dir)) {
    differences.push_back(absl::StrCat(difference.path, ": the job has ", OrNone(difference.values[0]),
                                       ", the file says ", OrNone(difference.values[1])));
  }
  if (!differences.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "job ", IdOf(job.name()), " exists with another specification; only larger limits can be applied to it:\n",
        absl::StrJoin(differences, "\n"),
        "\nGive the file another name, or put it back as it was. `tuner clone --warm-start` starts from the old "
        "trials."));
  }
  if (limits.raised.empty()) return Rerunning{std::move(job), ""};
  v1::UpdateTuningJobRequest request;
  request.set_name(job.name());
  *request.mutable_limits() = source.spec.limits();
  auto updated = client.Call(request);
  if (absl::IsFailedPrecondition(updated.status())) {
    return absl::FailedPreconditionError(
        absl::StrCat(updated.status().message(), "\nThe file raises ", absl::StrJoin(limits.raised, ", "),
                     ". To go on from its trials: `tuner clone ", IdOf(job.name()), " NEW-NAME --warm-start`."));
  }
  if (!updated.ok()) return updated.status();
  return Rerunning{*std::move(updated), absl::StrCat("Raised ", absl::StrJoin(limits.raised, ", "), ".")};
}

}  // namespace tuner::cli

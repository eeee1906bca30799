#include "tuner/requests/earlier_jobs.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/warm_start.h"
#include "tuner/requests/job_builder.h"

namespace tuner::requests {
namespace {

// The job, or nothing and the problem.
std::optional<EarlierJob> Find(const LookUpJob& look_up, const std::string& job_id, const std::string& path,
                               core::Problems& problems) {
  absl::StatusOr<EarlierJob> job = look_up(job_id);
  if (job.ok()) return *std::move(job);
  problems.push_back({path, absl::IsNotFound(job.status())
                                ? absl::StrCat("there is no job ", job_id, "; name one that `tuner list` shows")
                                : absl::StrCat("job ", job_id, " cannot be read: ", job.status().message())});
  return std::nullopt;
}

// The model folder that the trial's last attempt with artefacts left; or why there is none.
absl::StatusOr<std::string> ModelFolder(const core::Trial& trial) {
  const auto last = std::find_if(trial.attempts.rbegin(), trial.attempts.rend(),
                                 [](const core::Attempt& attempt) { return !attempt.artifact_path.empty(); });
  if (last == trial.attempts.rend()) {
    return absl::NotFoundError(absl::StrCat("its best trial ", trial.number, " has no artefacts"));
  }
  if (last->artifacts_remove_time) {
    return absl::NotFoundError(absl::StrCat("the artefacts of its best trial ", trial.number,
                                            " were removed by its rule: see `artifacts` there"));
  }
  const std::filesystem::path folder = std::filesystem::path(last->artifact_path) / "model";
  std::error_code error;
  const bool filled = std::filesystem::is_directory(folder, error) && !std::filesystem::is_empty(folder, error);
  if (filled && !error) return folder.string();
  return absl::NotFoundError(absl::StrCat("its best trial ", trial.number, " left nothing in ", folder.string()));
}

}  // namespace

core::ParentJobs FindParents(const core::JobSpec& spec, const LookUpJob& look_up, core::Problems& problems) {
  core::ParentJobs parents;
  if (!spec.warm_start) return parents;
  for (size_t i = 0; i < spec.warm_start->parents.size(); ++i) {
    const std::string path = absl::StrCat("warm_start.parents[", i, "]");
    const std::optional<EarlierJob> job = Find(look_up, spec.warm_start->parents[i], path, problems);
    if (!job) continue;
    absl::StatusOr<core::JobSpec> parent = SpecOfHeader(job->header);
    if (!parent.ok()) {
      problems.push_back(
          {path, absl::StrCat("job ", job->header.job_id, " cannot be read: ", parent.status().message())});
      continue;
    }
    const size_t before = problems.size();
    for (core::Problem& problem : core::ValidateParent(spec, *parent, job->header.status, path)) {
      problems.push_back(std::move(problem));
    }
    if (problems.size() == before) parents.push_back(core::ParentOf(job->header, *parent, job->trials));
  }
  return parents;
}

void FindArtifacts(const LookUpJob& look_up, const std::string& inputs, core::TrialTemplate& wanted,
                   core::Problems& problems) {
  for (size_t i = 0; i < wanted.inputs.size(); ++i) {
    core::Channel& channel = wanted.inputs[i];
    if (channel.best_artifact_of.empty()) continue;
    const std::string path = absl::StrCat(inputs, "[", i, "].best_artifact_of");
    const std::optional<EarlierJob> job = Find(look_up, channel.best_artifact_of, path, problems);
    if (!job) continue;
    const std::string& id = job->header.job_id;
    if (!core::IsTerminal(job->header.status)) {
      problems.push_back({path, absl::StrCat("job ", id, " still runs; wait until it has ended, or stop it")});
      continue;
    }
    const auto best = std::ranges::find_if(job->trials, [&](const core::Trial& trial) {
      return job->header.best_trial && trial.number == *job->header.best_trial;
    });
    if (best == job->trials.end()) {
      const bool several = job->header.definitions.size() > 1;
      problems.push_back(
          {path, absl::StrCat("job ", id, " has no best trial", several ? " over all its definitions" : "",
                              "; name another job, or give path")});
      continue;
    }
    absl::StatusOr<std::string> folder = ModelFolder(*best);
    if (folder.ok()) {
      channel.path = *std::move(folder);
    } else {
      problems.push_back({path, absl::StrCat("job ", id, ": ", folder.status().message(),
                                             "; let trials save their model in SM_MODEL_DIR, or give path")});
    }
  }
}

}  // namespace tuner::requests

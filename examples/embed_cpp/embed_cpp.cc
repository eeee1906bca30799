// The tuner inside of a C++ program: asks for points, evaluates them here, tells their values, and prints the best one.
// The job is kept in the data folder: run again, the program goes on where it ended.
//
//   embed_cpp DATA_FOLDER [TRIALS]

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "proto/job_file.h"
#include "tuner/embed/tuner.h"

namespace {

namespace v1 = tuner::v1;

constexpr char kJob[] = R"(
name: rosenbrock
objective: {metric: value, goal: MINIMIZE}
parameters:
- {name: x, double: {min: -2, max: 2}}
- {name: y, double: {min: -1, max: 3}}
strategy: {random: {}, random_seed: 5}
trial: {external: {}}
)";

double Rosenbrock(double x, double y) { return (1 - x) * (1 - x) + 100 * (y - x * x) * (y - x * x); }

// Asks, evaluates and tells until the job has no more trials.
absl::Status Minimize(tuner::embed::Tuner& tuner, const std::string& job) {
  v1::SuggestTrialsRequest ask;
  ask.set_parent(job);
  ask.set_worker_id("embed_cpp");
  while (true) {
    const absl::StatusOr<v1::SuggestTrialsResponse> answer = tuner.SuggestTrials(ask);
    if (!answer.ok()) return answer.status();
    if (answer->job_done()) return absl::OkStatus();
    for (const v1::Trial& trial : answer->trials()) {
      const auto& at = trial.parameters();
      v1::CompleteTrialRequest tell;
      tell.set_name(trial.name());
      tell.set_attempt(trial.attempts().rbegin()->number());
      (*tell.mutable_final_metrics())["value"] = Rosenbrock(at.at("x").number_value(), at.at("y").number_value());
      if (const auto told = tuner.CompleteTrial(tell); !told.ok()) return told.status();
    }
  }
}

absl::Status Run(const std::string& data_dir, int trials) {
  absl::StatusOr<v1::TuningJobSpec> spec = tuner::job_file::ParseJobFile(kJob);
  if (!spec.ok()) return spec.status();
  spec->mutable_limits()->set_max_trials(trials);
  const auto tuner = tuner::embed::Tuner::Open({.data_dir = data_dir});
  if (!tuner.ok()) return tuner.status();

  v1::CreateTuningJobRequest create;
  *create.mutable_spec() = *std::move(spec);
  create.set_request_id("embed_cpp");  // the job that is there already, when this runs again
  const auto created = (*tuner)->CreateTuningJob(create);
  if (!created.ok()) return created.status();
  const std::string& name = created->job().name();
  if (absl::Status status = Minimize(**tuner, name); !status.ok()) return status;

  v1::GetTuningJobRequest get;
  get.set_name(name);
  const auto job = (*tuner)->GetTuningJob(get);
  if (!job.ok()) return job.status();
  const v1::Trial& best = job->best_trial();
  const auto& at = best.parameters();
  std::printf("best of %d trials: %g at x = %g, y = %g (trial %d)\n", job->trial_counts().completed(), best.objective(),
              at.at("x").number_value(), at.at("y").number_value(), best.number());
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: embed_cpp DATA_FOLDER [TRIALS]\n");
    return 2;
  }
  const absl::Status status = Run(std::filesystem::absolute(argv[1]).string(), argc > 2 ? std::atoi(argv[2]) : 40);
  if (status.ok()) return 0;
  std::fprintf(stderr, "embed_cpp: %s\n", std::string(status.message()).c_str());
  return 1;
}

// A program with an executor of its own in the tuner that it embeds.
//
//   custom_executor DATA_FOLDER
#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>

#include "function_executor.h"
#include "proto/job_file.h"
#include "rosenbrock.h"
#include "tuner/embed/tuner.h"

namespace {

constexpr char kJob[] = R"(
name: rosenbrock
objective: {metric: value, goal: MINIMIZE}
parameters:
- {name: x, double: {min: -2, max: 2}}
- {name: y, double: {min: -1, max: 3}}
strategy: {random: {}, random_seed: 5}
limits: {max_trials: 40, max_parallel_trials: 4}
trial:
  executors:
  - custom: {name: function, options: {max_calls: 4}}
)";

absl::Status Run(const std::string& data_dir) {
  tuner::embed::Options options;
  options.data_dir = data_dir;
  if (absl::Status added = options.executor_kinds.Add(FunctionExecutorKind(&Rosenbrock)); !added.ok()) return added;
  options.executor_settings["function"].slots = 2;  // of all jobs together
  const auto tuner = tuner::embed::Tuner::Open(options);
  if (!tuner.ok()) return tuner.status();

  tuner::v1::CreateTuningJobRequest create;
  absl::StatusOr<tuner::v1::TuningJobSpec> spec = tuner::job_file::ParseJobFile(kJob);
  if (!spec.ok()) return spec.status();
  *create.mutable_spec() = *std::move(spec);
  create.set_request_id("custom_executor");  // the job that is there already, when this runs again
  const auto created = (*tuner)->CreateTuningJob(create);
  if (!created.ok()) return created.status();
  const auto job = (*tuner)->AwaitTuningJob(created->job().name(), absl::Minutes(2));
  if (!job.ok()) return job.status();
  const tuner::v1::Trial& best = job->best_trial();
  std::printf("best of %d trials: %g (trial %d, on executor %s)\n", job->trial_counts().completed(), best.objective(),
              best.number(), best.attempts(0).executor().c_str());
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: custom_executor DATA_FOLDER\n");
    return 2;
  }
  const absl::Status status = Run(std::filesystem::absolute(argv[1]).string());
  if (status.ok()) return 0;
  std::fprintf(stderr, "custom_executor: %s\n", std::string(status.message()).c_str());
  return 1;
}

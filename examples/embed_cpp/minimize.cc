// Tunes a function inside of a program: no server, no gRPC. Prints the best point.
//   build/bin/embed_cpp DATA_DIR
#include <cmath>
#include <iostream>

#include "proto/job_file.h"
#include "tuner/embed/tuner.h"

namespace {

constexpr char kJob[] = R"(
name: minimize
objective: {metric: value, goal: MINIMIZE}
parameters:
- {name: x, double: {min: -5, max: 10}}
- {name: y, double: {min: 0, max: 15}}
strategy: {random: {}, random_seed: 1}
limits: {max_trials: 40}
trial: {external: {}}
)";

double Branin(double x, double y) {
  const double a = y - 5.1 / (4 * M_PI * M_PI) * x * x + 5 / M_PI * x - 6;
  return a * a + 10 * (1 - 1 / (8 * M_PI)) * std::cos(x) + 10;
}

absl::Status Minimize(const std::string& data_dir) {
  auto spec = tuner::job_file::ParseJobFile(kJob);
  if (!spec.ok()) return spec.status();
  auto tuner = tuner::embed::Tuner::Open({.data_dir = data_dir});
  if (!tuner.ok()) return tuner.status();

  tuner::v1::CreateTuningJobRequest create;
  *create.mutable_spec() = *spec;
  create.set_request_id("minimize");  // run again, it goes on where it ended
  auto created = (*tuner)->CreateTuningJob(create);
  if (!created.ok()) return created.status();

  while (true) {
    tuner::v1::SuggestTrialsRequest ask;
    ask.set_parent("tuningJobs/minimize");
    ask.set_worker_id("this program");
    auto suggested = (*tuner)->SuggestTrials(ask);
    if (!suggested.ok()) return suggested.status();
    if (suggested->job_done()) break;
    for (const tuner::v1::Trial& trial : suggested->trials()) {
      const double value = Branin(trial.parameters().at("x").number_value(), trial.parameters().at("y").number_value());
      tuner::v1::CompleteTrialRequest tell;
      tell.set_name(trial.name());
      tell.set_attempt(trial.attempts().rbegin()->number());
      (*tell.mutable_final_metrics())["value"] = value;
      auto completed = (*tuner)->CompleteTrial(tell);
      if (!completed.ok()) return completed.status();
    }
  }

  tuner::v1::GetTuningJobRequest get;
  get.set_name("tuningJobs/minimize");
  auto job = (*tuner)->GetTuningJob(get);
  if (!job.ok()) return job.status();
  const tuner::v1::Trial& best = job->best_trial();
  std::cout << "best of " << job->trial_counts().completed() << " trials: " << best.objective() << " at x "
            << best.parameters().at("x").number_value() << ", y " << best.parameters().at("y").number_value() << "\n";
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || argv[1][0] != '/') {
    std::cerr << "usage: embed_cpp DATA_DIR   (an absolute path)\n";
    return 2;
  }
  const absl::Status status = Minimize(argv[1]);
  if (!status.ok()) std::cerr << status << "\n";
  return status.ok() ? 0 : 1;
}

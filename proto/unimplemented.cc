#include "proto/unimplemented.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace tuner::convert {
namespace {

using Fields = std::vector<std::string>;

void Add(Fields& fields, absl::string_view path, absl::string_view text) {
  fields.push_back(absl::StrCat(path, ": ", text));
}

void AddStrategy(const v1::Strategy& strategy, Fields& fields) {
  if (!strategy.has_custom()) return;
  Add(fields, "strategy.custom",
      "a strategy that is linked in is not served by this version; use strategy.bayesian, strategy.random, "
      "strategy.grid or strategy.hyperband");
}

// `Message` has the arms slurm and kubernetes.
template <typename Message>
void AddExecutorArms(const Message& message, absl::string_view path, Fields& fields) {
  constexpr absl::string_view kUse = "is not served by this version; use process, container, sagemaker or external";
  if (message.has_slurm()) Add(fields, absl::StrCat(path, ".slurm"), absl::StrCat("the Slurm executor ", kUse));
  if (message.has_kubernetes())
    Add(fields, absl::StrCat(path, ".kubernetes"), absl::StrCat("the Kubernetes executor ", kUse));
}

void AddTrialTemplate(const v1::TrialTemplate& trial, Fields& fields) {
  AddExecutorArms(trial, "trial", fields);
  for (int i = 0; i < trial.executors_size(); ++i) {
    const std::string path = absl::StrCat("trial.executors[", i, "]");
    AddExecutorArms(trial.executors(i), path, fields);
  }
}

}  // namespace

std::vector<std::string> UnimplementedFields(const v1::TuningJobSpec& spec) {
  Fields fields;
  AddStrategy(spec.strategy(), fields);
  if (spec.limits().has_max_cost()) {
    Add(fields, "limits.max_cost", "costs are not counted by this version; use limits.max_run_time");
  }
  if (spec.early_stopping().has_custom()) {
    Add(fields, "early_stopping.custom",
        "a rule that is linked in is not served by this version; use median, percentile, threshold, "
        "successive_halving or curve");
  }
  AddTrialTemplate(spec.trial(), fields);
  return fields;
}

}  // namespace tuner::convert

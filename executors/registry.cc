#include "executors/container.h"
#include "executors/container_plan.h"
#include "executors/executor.h"
#include "executors/external.h"
#include "executors/local_process.h"
#include "executors/sagemaker/check.h"
#include "executors/sagemaker/executor.h"
#include "executors/sagemaker/options.h"

namespace tuner::executors {
namespace {

constexpr ExecutorKind kKinds[] = {
    {"process", "A process on the server's machine, under a supervisor that outlives the server.",
     &MakeLocalProcessExecutor, &ValidateProcessOptions, &MissingForProcesses},
    {"container", "Containers by the Docker Engine API: Docker, or Podman's service.", &MakeContainerExecutor,
     &ValidateContainerOptions, &MissingForContainers, &AdviseOnContainers},
    {"sagemaker", "Training jobs on Amazon SageMaker.",
     [](const ExecutorContext& context) { return sagemaker::MakeSageMakerExecutor(context); },
     &sagemaker::ValidateSageMakerOptions, [] { return std::string(); }, nullptr, &sagemaker::CheckSageMaker},
    {"external", "Workers ask for trials with SuggestTrials and tell their results.", &MakeExternalExecutor,
     &ValidateExternalOptions, [] { return std::string(); }},
};

}  // namespace

absl::Span<const ExecutorKind> ExecutorKinds() { return kKinds; }

const ExecutorKind* FindExecutorKind(std::string_view name) {
  for (const ExecutorKind& kind : kKinds) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

}  // namespace tuner::executors

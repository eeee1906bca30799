#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "executors/container.h"
#include "executors/container_plan.h"
#include "executors/executor.h"
#include "executors/external.h"
#include "executors/local_process.h"
#include "executors/sagemaker/check.h"
#include "executors/sagemaker/executor.h"
#include "executors/sagemaker/options.h"
#include "tuner/v1/executors.pb.h"

namespace tuner::executors {
namespace {

std::vector<ExecutorKind> BuiltInKinds() {
  return {
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
}

bool IsKindName(const std::string& name) {
  if (name.empty() || name.size() > 63 || !absl::ascii_islower(static_cast<unsigned char>(name[0]))) return false;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (!absl::ascii_islower(byte) && !absl::ascii_isdigit(byte) && c != '_' && c != '-') return false;
  }
  return true;
}

}  // namespace

ExecutorRegistry::ExecutorRegistry() : kinds_(BuiltInKinds()) {}

absl::Status ExecutorRegistry::Add(ExecutorKind kind) {
  if (!IsKindName(kind.name)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", kind.name,
                     "\" is no name for a kind of executor; use a lower-case letter, then "
                     "up to 62 of those, digits, _ and -"));
  }
  if (v1::Executor::descriptor()->FindFieldByName(kind.name) != nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", kind.name, "\" is a name that tuner has for itself; take another one"));
  }
  if (!kind.make || !kind.validate || !kind.missing) {
    return absl::InvalidArgumentError(
        absl::StrCat("executor ", kind.name, " lacks one of its functions make, validate and missing"));
  }
  if (Find(kind.name) != nullptr) return absl::AlreadyExistsError(absl::StrCat("executor ", kind.name, " is there"));
  kinds_.push_back(std::move(kind));
  return absl::OkStatus();
}

const ExecutorKind* ExecutorRegistry::Find(std::string_view name) const {
  for (const ExecutorKind& kind : kinds_) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

const ExecutorRegistry& BuiltInExecutors() {
  static const ExecutorRegistry registry;
  return registry;
}
absl::Span<const ExecutorKind> ExecutorKinds() { return BuiltInExecutors().kinds(); }
const ExecutorKind* FindExecutorKind(std::string_view name) { return BuiltInExecutors().Find(name); }

}  // namespace tuner::executors

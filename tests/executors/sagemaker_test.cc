// Trials on SageMaker, against a service that plays scripts.
#include "executors/sagemaker/executor.h"

#include <nlohmann/json.hpp>

#include "executors/sagemaker/names.h"
#include "gmock/gmock.h"
#include "tests/executors/executor_conformance.h"
#include "tests/executors/sagemaker_harness.h"

namespace tuner::executors {
namespace {

using nlohmann::json;
using Outcome = RunEnded::Outcome;
using sagemaker::TrainingJobName;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

INSTANTIATE_TEST_SUITE_P(SageMaker, ExecutorConformance, testing::Values(ConformanceParam{"sagemaker", [] {
                           return std::make_unique<SageMakerHarness>();
                         }}));

}  // namespace
}  // namespace tuner::executors

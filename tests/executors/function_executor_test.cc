// The example of an executor that a user links in keeps the contract of all executors, and is found by its name.
#include "function_executor.h"

#include <map>
#include <thread>

#include "core/clock.h"
#include "gmock/gmock.h"
#include "google/protobuf/struct.pb.h"
#include "tests/executors/executor_conformance.h"

namespace tuner::executors {
namespace {

using testing::HasSubstr;

std::string OptionBytes(double max_calls) {
  google::protobuf::Struct options;
  (*options.mutable_fields())["max_calls"].set_number_value(max_calls);
  return options.SerializeAsString();
}

class FunctionHarness : public ExecutorHarness {
 public:
  FunctionHarness() { Restart(); }
  Executor& executor() override { return *executor_; }
  RunRecorder& recorder() override { return *recorder_; }
  RunSpec Spec(const RunId& id, Script script) override {
    RunSpec spec;
    spec.id = id;
    spec.options = {"function", OptionBytes(32)};
    spec.objective_metric = "loss";
    spec.parameters["script"] = static_cast<int64_t>(script);
    spec.parameters["trial"] = static_cast<int64_t>(id.trial);
    return spec;
  }
  void Play(const RunId&, Script) override {}
  void Restart() override {
    executor_.reset();
    recorder_ = std::make_unique<RunRecorder>();
    ExecutorContext context;
    context.clock = clock_.get();
    context.listener = recorder_.get();
    executor_ = *FunctionExecutorKind([this](const Call& call) { return Act(call); }).make(context);
  }
  int Starts(const RunId& id) override {
    absl::MutexLock lock(&mutex_);
    return starts_[id.trial];
  }

 private:
  absl::Status Act(const Call& call) {
    const auto script = static_cast<Script>(std::get<int64_t>(call.parameters.at("script")));
    {
      absl::MutexLock lock(&mutex_);
      ++starts_[std::get<int64_t>(call.parameters.at("trial"))];
    }
    if (script == Script::kFail) return absl::InternalError("no luck");
    if (script == Script::kMetrics || script == Script::kMetricsThenWait) {
      for (const double value : {0.5, 0.25, 0.125}) call.report(value);
    }
    if (script == Script::kSucceed || script == Script::kMetrics) return absl::OkStatus();
    while (!call.should_stop()) std::this_thread::yield();  // as a function that computes asks now and then
    return absl::OkStatus();
  }

  const std::unique_ptr<core::Clock> clock_ = core::MakeSystemClock();
  absl::Mutex mutex_;
  std::map<int64_t, int> starts_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<RunRecorder> recorder_;
  std::unique_ptr<Executor> executor_;
};

INSTANTIATE_TEST_SUITE_P(Function, ExecutorConformance,
                         testing::Values(ConformanceParam{"function",
                                                          [] { return std::make_unique<FunctionHarness>(); }}));

TEST(FunctionExecutorTest, BeyondItsSlotsItIsAskedAgainLater) {
  FunctionHarness harness;
  RunSpec first = harness.Spec({"job", "uid", 1, 1}, Script::kWait);
  RunSpec second = harness.Spec({"job", "uid", 2, 1}, Script::kSucceed);
  first.options.bytes = second.options.bytes = OptionBytes(1);
  ASSERT_TRUE(harness.executor().Launch(first).ok());
  EXPECT_EQ(harness.executor().Launch(second).code(), absl::StatusCode::kResourceExhausted);
  ASSERT_TRUE(harness.executor().Stop(first.id, absl::ZeroDuration()).ok());
  harness.recorder().AwaitEnded(first.id);
  EXPECT_TRUE(harness.executor().Launch(second).ok());
}

TEST(ExecutorRegistryTest, TakesKindsOfTheProgram) {
  const auto function = [](const Call&) { return absl::OkStatus(); };
  ExecutorRegistry registry;
  EXPECT_EQ(registry.Find("function"), nullptr);
  ASSERT_TRUE(registry.Add(FunctionExecutorKind(function)).ok());
  ASSERT_NE(registry.Find("function"), nullptr);
  EXPECT_EQ(FindExecutorKind("function"), nullptr) << "the registry is a value";
  EXPECT_EQ(registry.Add(FunctionExecutorKind(function)).code(), absl::StatusCode::kAlreadyExists);

  for (const char* name : {"", "Process", "9lives", "a b", "process", "sagemaker", "custom"}) {
    ExecutorKind kind = FunctionExecutorKind(function);
    kind.name = name;
    EXPECT_EQ(registry.Add(kind).code(), absl::StatusCode::kInvalidArgument) << name;
  }
  ExecutorKind kind = FunctionExecutorKind(function);
  kind.name = "other";
  kind.validate = nullptr;
  EXPECT_THAT(std::string(registry.Add(kind).message()), HasSubstr("other lacks one of its functions"));
}

TEST(FunctionExecutorTest, ChecksItsOptions) {
  const ExecutorKind kind = FunctionExecutorKind(nullptr);
  EXPECT_TRUE(kind.validate("", {}).empty());
  EXPECT_TRUE(kind.validate(OptionBytes(64), {}).empty());
  EXPECT_FALSE(kind.validate(OptionBytes(65), {}).empty());
  EXPECT_FALSE(kind.validate("\xff", {}).empty());
}

}  // namespace
}  // namespace tuner::executors

// Each decorator, over the fake executor and over processes, is an executor like any other; and with retries around an
// engine that answers badly, nobody sees that it does.
#include "executors/decorate.h"
#include "gtest/gtest.h"
#include "tests/executors/executor_conformance.h"
#include "tests/executors/fake_harness.h"
#include "tests/executors/faulty_executor.h"
#include "tests/executors/process_harness.h"

namespace tuner::executors {
namespace {

std::unique_ptr<Executor> Retrying(std::unique_ptr<Executor> within, RunListener* listener, core::Clock* clock) {
  RetryOptions options;
  options.initial = absl::Milliseconds(2);
  options.most = absl::Milliseconds(20);
  return MakeRetryingExecutor(std::move(within), listener, clock, options);
}

const struct {
  const char* name;
  DecorateExecutor decorate;
} kDecorators[] = {
    {"retrying",
     [](const MakeExecutor& make, RunListener* listener, core::Clock* clock) -> std::unique_ptr<Executor> {
       return Retrying(make(listener), listener, clock);
     }},
    {"circuit_breaker", [](const MakeExecutor& make, RunListener* listener,
                           core::Clock* clock) { return MakeCircuitBreaker(make(listener), clock, "tested", {}); }},
    {"rate_limited",
     [](const MakeExecutor& make, RunListener* listener, core::Clock* clock) {
       return MakeRateLimitedExecutor(make(listener), clock, {.per_second = 1'000, .burst = 100});
     }},
    // Waits for nearly every turn.
    {"rate_limited_and_retrying",
     [](const MakeExecutor& make, RunListener* listener, core::Clock* clock) -> std::unique_ptr<Executor> {
       return Retrying(MakeRateLimitedExecutor(make(listener), clock, {.per_second = 100, .burst = 1}), listener,
                       clock);
     }},
    {"faulty_and_retrying",
     [](const MakeExecutor& make, RunListener* listener, core::Clock* clock) -> std::unique_ptr<Executor> {
       return Retrying(MakeFaultyExecutor(make, listener, {}), listener, clock);
     }},
    {"faulty_and_all",
     [](const MakeExecutor& make, RunListener* listener, core::Clock* clock) {
       Decoration decoration;
       decoration.retry.initial = absl::Milliseconds(2);
       decoration.retry.most = absl::Milliseconds(20);
       decoration.rate_limit = RateLimit{.per_second = 500, .burst = 2};
       decoration.breaker = BreakerOptions{.failures = 50};  // an open one knows of no run
       return Decorate(MakeFaultyExecutor(make, listener, {.seed = 2}), "tested", listener, clock, decoration);
     }},
};

std::vector<ConformanceParam> Params() {
  std::vector<ConformanceParam> params;
  for (const auto& decorator : kDecorators) {
    params.push_back({absl::StrCat("fake_", decorator.name),
                      [&decorator] { return std::make_unique<FakeHarness>(decorator.decorate); }});
    params.push_back({absl::StrCat("process_", decorator.name), [&decorator] {
                        return std::make_unique<ProcessHarness>(
                            ProcessHarness::Options{.decorate = decorator.decorate});
                      }});
  }
  return params;
}

INSTANTIATE_TEST_SUITE_P(Decorators, ExecutorConformance, testing::ValuesIn(Params()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace tuner::executors

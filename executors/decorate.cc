#include "executors/decorate.h"

#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace tuner::executors {
namespace {

Decoration DecorationOf(const std::string& name, const ExecutorSettings& settings) {
  const auto found = settings.find(name);
  const ExecutorSetting setting = found == settings.end() ? ExecutorSetting() : found->second;
  Decoration decoration;
  decoration.retry.initial = setting.retry_initial.value_or(decoration.retry.initial);
  decoration.retry.most = setting.retry_most.value_or(std::max(decoration.retry.most, decoration.retry.initial));
  decoration.retry.seed = std::hash<std::string>()(name);  // executors of one server do not keep step
  if (setting.launches_per_second) {
    decoration.rate_limit = RateLimit{*setting.launches_per_second, setting.launch_burst.value_or(1)};
  }
  // Processes have no engine that could be down: what one launch lacks says nothing of the others, nor of stops.
  BreakerOptions breaker;
  breaker.failures = setting.breaker_failures.value_or(name == "process" ? 0 : breaker.failures);
  breaker.cool_down = setting.breaker_cool_down.value_or(breaker.cool_down);
  if (breaker.failures > 0) decoration.breaker = breaker;
  return decoration;
}

// What is out of bounds; empty: nothing is.
std::string ProblemOf(const ExecutorSetting& setting) {
  const auto is_positive = [](const std::optional<absl::Duration>& wait) {
    return !wait || (*wait > absl::ZeroDuration() && *wait < absl::InfiniteDuration());
  };
  if (setting.slots && *setting.slots < 1) return "slots must be at least 1; leave it out for no bound";
  if (setting.launches_per_second && !(*setting.launches_per_second > 0)) return "launches_per_second must be above 0";
  if (setting.launch_burst && *setting.launch_burst < 1) return "launch_burst must be at least 1";
  if (setting.launch_burst && !setting.launches_per_second) return "launch_burst needs launches_per_second beside it";
  if (setting.breaker_failures && *setting.breaker_failures < 0) return "breaker_failures must not be negative";
  if (!is_positive(setting.breaker_cool_down)) return "breaker_cool_down must be above 0";
  if (!is_positive(setting.retry_initial)) return "retry_initial must be above 0";
  if (!is_positive(setting.retry_most)) return "retry_most must be above 0";
  if (setting.retry_most && *setting.retry_most < setting.retry_initial.value_or(RetryOptions().initial)) {
    return "retry_most must not be below retry_initial";
  }
  return "";
}

}  // namespace

std::unique_ptr<Executor> Decorate(std::unique_ptr<Executor> executor, const std::string& name, RunListener* listener,
                                   core::Clock* clock, const Decoration& decoration) {
  if (executor->capabilities().is_external) return executor;  // it launches nothing
  if (decoration.breaker) executor = MakeCircuitBreaker(std::move(executor), clock, name, *decoration.breaker);
  if (decoration.rate_limit) executor = MakeRateLimitedExecutor(std::move(executor), clock, *decoration.rate_limit);
  return MakeRetryingExecutor(std::move(executor), listener, clock, decoration.retry);
}

absl::Status CheckSettings(const ExecutorSettings& settings, const ExecutorRegistry& kinds) {
  for (const auto& [name, setting] : settings) {
    if (kinds.Find(name) == nullptr) {
      const std::string names = absl::StrJoin(
          kinds.kinds(), ", ", [](std::string* out, const ExecutorKind& kind) { out->append(kind.name); });
      return absl::InvalidArgumentError(
          absl::StrCat("executor ", name, ": there is none of this name. There are: ", names));
    }
    if (name == "external") {
      return absl::InvalidArgumentError(
          "executor external: its trials run with the workers that ask for them, so nothing is launched that could be "
          "bounded; use limits.max_parallel_trials of the jobs");
    }
    if (const std::string problem = ProblemOf(setting); !problem.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("executor ", name, ": ", problem));
    }
  }
  return absl::OkStatus();
}

absl::btree_map<std::string, int> SlotsOf(const ExecutorSettings& settings) {
  absl::btree_map<std::string, int> slots;
  for (const auto& [name, setting] : settings) {
    if (setting.slots) slots[name] = *setting.slots;
  }
  return slots;
}

absl::StatusOr<std::unique_ptr<Executor>> MakeDecorated(const ExecutorKind& kind, const ExecutorContext& context,
                                                        const ExecutorSettings& settings) {
  absl::StatusOr<std::unique_ptr<Executor>> executor = kind.make(context);
  if (!executor.ok()) return executor.status();
  return Decorate(*std::move(executor), kind.name, context.listener, context.clock, DecorationOf(kind.name, settings));
}

}  // namespace tuner::executors

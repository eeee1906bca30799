// What a tuning job is asked to do, free of the wire format. Plain values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/time/time.h"
#include "core/constraint.h"
#include "core/notification.h"
#include "core/parent_job.h"
#include "core/rules.h"
#include "core/search_space.h"

namespace tuner::core {

// A strategy, executor or rule by its name in the proto's oneof ("random", "process"), with the chosen arm's serialised
// message. Only that strategy's (executor's, rule's) own source file parses the bytes.
struct Options {
  std::string name;
  std::string bytes;
};

enum class Goal { kMinimize, kMaximize };

struct Objective {
  std::string metric;
  Goal goal = Goal::kMinimize;
  std::optional<double> target;

  bool Better(double a, double b) const { return goal == Goal::kMinimize ? a < b : a > b; }
};

// Bounds that the final value of a metric keeps in a trial that counts as good; at least one is set.
struct OutcomeConstraint {
  std::string metric;
  std::optional<double> min;
  std::optional<double> max;

  bool Holds(double value) const { return (!min || value >= *min) && (!max || value <= *max); }
};

struct Limits {
  std::optional<int32_t> max_trials;  // a grid job's is set to its number of combinations at creation
  int32_t max_parallel_trials = 1;
  std::optional<absl::Duration> max_run_time;
  std::optional<int32_t> max_failed_trials;
};

struct CompletionCriteria {
  std::optional<int32_t> max_trials_not_improving;
  bool convergence = false;
};

struct MetricDefinition {
  std::string name;
  std::string regex;  // RE2
};

struct ExecutorChoice {
  Options options;
  std::optional<int32_t> slots;
  std::optional<absl::Duration> lease;  // set: trials are not launched but handed to workers that ask, for this long
};

struct RetryPolicy {
  int32_t max_retries = 0;
  absl::Duration backoff = absl::Seconds(1);
};

struct Channel {
  std::string name;
  enum class InputMode { kUnspecified, kFile, kFastFile, kPipe };

  std::string path;  // absolute, or relative to base_dir; empty if `s3_uri` is not
  std::string content_type;
  std::string best_artifact_of;  // job whose best trial's model folder `path` is; empty: none
  std::string s3_uri;
  InputMode input_mode = InputMode::kUnspecified;
  bool sharded = false;  // split over the hosts of a trial
};

struct TrialTemplate {
  std::vector<ExecutorChoice> executors;
  std::vector<MetricDefinition> metrics;
  RetryPolicy retries;
  std::optional<absl::Duration> time_limit;
  absl::Duration grace_period = absl::Seconds(10);
  std::vector<Channel> inputs;
  absl::btree_map<std::string, std::string> environment;
  std::string checkpoint_dir;
};

struct JobSpec {
  std::string name;
  Objective objective;
  std::vector<Objective> additional_objectives;  // without targets; all objectives differ in their metrics
  std::vector<OutcomeConstraint> outcome_constraints;
  SearchSpace space;
  ConstraintSet constraints;  // over space and static_parameters
  ParameterMap static_parameters;
  Options strategy;
  uint64_t random_seed = 0;
  Limits limits;
  CompletionCriteria completion;
  std::optional<EarlyStoppingRule> early_stopping;
  std::vector<HealthRule> health_rules;
  std::optional<Resources> resources;  // set by strategies that give each trial a resource
  std::optional<WarmStart> warm_start;
  TrialTemplate trial;
  std::vector<NotificationRule> notifications;
  absl::btree_map<std::string, std::string> tags;
  std::string base_dir;  // absolute folder against which relative paths are resolved
};

}  // namespace tuner::core

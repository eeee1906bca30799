// What the strategy host knows of one job: its strategy, and what that is to do. Private to
// tuner/engine/strategy_host.cc.
//
// Threads: members say who guards them.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "core/job_spec.h"
#include "core/trial.h"
#include "strategies/strategy.h"
#include "tuner/engine/job_strategy.h"

namespace tuner::engine {

struct Actor;

struct BuildTask {
  core::JobSpec spec;
  std::vector<strategies::Observation> history;
};
struct InstallTask {
  std::unique_ptr<strategies::FitTask> fit;
};
struct AskTask;
using Task = std::variant<BuildTask, strategies::Observation, std::shared_ptr<AskTask>, InstallTask>;

// When something is due for an ask.
struct Alarm {
  enum class Kind { kWaitEnds, kStop };
  Kind kind = Kind::kStop;
  std::shared_ptr<Actor> actor;
  std::shared_ptr<AskTask> ask;
};
using Alarms = std::multimap<absl::Time, Alarm>;

struct AskTask {
  Question question;
  std::atomic<bool> stop{false};
  // Guarded by the host's mutex.
  absl::Time wait_end = absl::InfiniteFuture();  // for a fit
  std::optional<Alarms::iterator> wait_alarm, stop_alarm;
};

// A fit that waits for a thread or is under way.
struct Fit {
  std::unique_ptr<strategies::FitTask> task;
  std::atomic<bool> stop{false};
};

// One job's strategy with what it is to do. At most one thread at a time holds an actor, and it alone touches the
// strategy.
struct Actor {
  explicit Actor(std::string uid) : strategy_id(std::move(uid)) {}

  const std::string strategy_id;
  std::atomic<bool> dropped{false};
  JobStrategy strategy;  // of the thread that holds the actor

  // Guarded by the host's mutex.
  std::deque<Task> tasks;
  bool held = false;                 // also while it waits for a thread
  std::shared_ptr<AskTask> ask;      // that is not answered yet
  std::shared_ptr<Fit> fit;          // until it is installed
  bool has_model = false;            // the strategy once began a fit
  absl::Duration pace;               // how long answers have taken of late
  std::optional<Question> expected;  // next, if nothing happens
  bool expected_is_prepared = false;
  bool preparation_queued = false;
  std::shared_ptr<std::atomic<bool>> preparing;  // stops the preparation that is under way
};

}  // namespace tuner::engine

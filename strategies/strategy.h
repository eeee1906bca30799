// How the next hyperparameters are chosen.
//
// Threads: the owner makes one call at a time, but for FitTask::Run and the methods of ModelView, which may be under
// way on other threads during any call. Ownership: a strategy keeps nothing that it was passed by reference. No I/O, no
// clock, no global random numbers: the same specification, seed, observations in the same order, Suggest contexts and
// fits installed give the same proposals. Suggest does not change a strategy; Observe and InstallFit do; replaying the
// observations rebuilds it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/event.h"
#include "core/job_spec.h"
#include "core/problem.h"
#include "core/stop_token.h"
#include "core/trial.h"

namespace tuner::strategies {

using core::Stopped;
using core::StopToken;

struct PendingTrial {
  int32_t number = 0;
  core::ParameterMap parameters;
  int64_t resource = 0;  // that it may use; 0: no bound
  bool paused = false;   // came to the end of its resource and waits for promotion
};

struct SuggestContext {
  int64_t ordinal = 0;                     // of the first proposal asked for, among the strategy's own, from 0
  int32_t count = 1;                       // new trials and promotions
  absl::Span<const PendingTrial> pending;  // every trial that has not ended, also those that users added
  // Null: no bound. Once it is true, a strategy with a model answers without it, with basis FALLBACK.
  StopToken stop = nullptr;
  // Null: suggest from the fit that is installed. Else: suggest as recorded, from a fit to basis.history_prefix
  // observations that is made now, if need be, for basis.kind FRESH and LAST_FIT, and without the model for FALLBACK.
  // All basis.known_prefix observations must have been observed, and no more.
  const core::Basis* replay = nullptr;
  // Of `count`, at most so many new ones; unset: all may be. Strategies without promotions are not given it.
  std::optional<int32_t> new_trials = std::nullopt;
};

struct NewTrial {
  core::ParameterMap parameters;
  int64_t resource = 0;      // 0: no bound
  int32_t reused_trial = 0;  // a completed one at this point, whose result is to count again without a run; 0: none
};
// A paused trial is to go on to a larger resource.
struct ResumeTrial {
  int32_t trial = 0;
  int64_t resource = 0;
  std::string reason;  // a part of a sentence, with figures
};
struct Proposals {
  std::vector<NewTrial> proposals;      // the i-th has ordinal + i; may be fewer than asked for
  std::vector<ResumeTrial> promotions;  // take their part of the count first
  bool exhausted = false;               // nothing will ever come after these, neither new nor resumed
  std::string exhausted_reason;         // a sentence with figures
  bool waiting = false;                 // nothing comes after these before something is observed
  std::string waiting_reason;           // a part of a sentence, with figures
  core::Basis basis;
  std::optional<core::Forecast> forecast;  // only where the job asks whether it has converged, and not on replay
};

// A trial came to the end of its resource and is paused. `trial` as it is then; the result is the last of its rungs.
struct RungReached {
  core::Trial trial;
};
// A trial ended. `trial` has its final metrics and state.
struct Finished {
  core::Trial trial;
};
using Observation = std::variant<RungReached, Finished>;

// A fit of a model, cut loose from its strategy: it holds a copy of what it needs, or shares what never changes.
class FitTask {
 public:
  virtual ~FitTask() = default;
  // Long work, on one thread. Once `stop` is true it returns soon, and its result is not to be installed.
  virtual void Run(StopToken stop) = 0;
};

// What a model says of points and of the job. A snapshot: it does not change when its strategy does. Any thread; no
// method changes it. Values are in the objective's own unit and direction.
class ModelView {
 public:
  virtual ~ModelView() = default;

  struct Prediction {
    double mean = 0;                // of the objective without noise
    double standard_deviation = 0;  // of the objective without noise, > 0
    double acquisition = 0;  // what the strategy maximises, higher is better; comparable within one snapshot only
    // The same in the model's own unit, that of Data().labels, in which the posterior is exactly normal.
    double label_mean = 0;
    double label_standard_deviation = 0;
  };
  // Expects a point of the space.
  virtual Prediction Predict(const core::ParameterMap& point) const = 0;
  // Numbers of the job's trials nearest in the model's metric, nearest first, with their distances in length-scales.
  struct Neighbour {
    int32_t trial = 0;
    double distance = 0;
  };
  virtual std::vector<Neighbour> Nearest(const core::ParameterMap& point, int count) const = 0;
  // Shares by parameter name, summing up to 1: by inverse length-scales, and by functional ANOVA of the posterior mean
  // (Hutter et al. 2014).
  virtual absl::btree_map<std::string, double> LengthScaleImportance() const = 0;
  virtual absl::btree_map<std::string, double> FanovaImportance() const = 0;
  // Expected gain of the best value by `trials` more trials, >= 0.
  virtual double ExpectedImprovement(int trials) const = 0;
  // Leave-one-out prediction of each objective that the job observed (noise included), in order of observation.
  struct LeftOut {
    int32_t trial = 0;
    double observed = 0;
    double mean = 0;
    double standard_deviation = 0;
  };
  virtual std::vector<LeftOut> LeaveOneOut() const = 0;
  // Deviation of the noise that was learnt.
  virtual double NoiseDeviation() const = 0;
  // What the model was fitted to: coordinates as the kernel sees them, and labels (warped objectives, higher is
  // better).
  struct DataRows {
    std::vector<std::string> columns;  // "eta", "booster=dart"
    std::vector<int32_t> trials;       // one a row; 0: a trial of a parent
    std::vector<std::vector<double>> coordinates;
    std::vector<double> labels;
  };
  virtual DataRows Data() const = 0;
  // Coordinates of any point, as in Data().
  virtual std::vector<double> Coordinates(const core::ParameterMap& point) const = 0;
  // Of the kernel, for those who compute it elsewhere: "length_scale.eta", "signal_variance", "noise_variance", "mean",
  // in the units of Data().
  virtual std::vector<std::pair<std::string, double>> Hyperparameters() const = 0;
};

class Strategy {
 public:
  virtual ~Strategy() = default;

  virtual absl::StatusOr<Proposals> Suggest(const SuggestContext& context) const = 0;
  // Once each, in commit order; also on replay.
  virtual void Observe(const Observation& observation) = 0;

  // The fit that is due after what was observed, to be run between results; null: none is, or there is no model.
  virtual std::unique_ptr<FitTask> BeginFit() const { return nullptr; }
  // Takes over a task of this strategy's BeginFit whose Run came to its end without being stopped. Older than the fit
  // that is installed: ignored.
  virtual void InstallFit(std::unique_ptr<FitTask> task) { (void)task; }
  // What the model knows now; null: there is no model, or it was fitted to nothing yet.
  virtual std::shared_ptr<const ModelView> model() const { return nullptr; }
};

// A row of the registry.
struct StrategyKind {
  std::string_view name;         // as in the proto's oneof
  std::string_view description;  // one sentence
  // Expects a specification that `validate` accepts.
  absl::StatusOr<std::unique_ptr<Strategy>> (*make)(const core::JobSpec& spec);
  // Problems of the options together with the space and limits; paths as in the specification
  // ("strategy.grid.allow_partial", "limits.max_trials").
  core::Problems (*validate)(const core::JobSpec& spec);
  // Number of proposals after which it is exhausted (grid), or 0 if it never is or the number is not known. At most
  // 2^53.
  int64_t (*trial_count)(const core::JobSpec& spec);
  // The options with what was left to the strategy filled in, as they are stored and shown; null: nothing is.
  std::string (*resolve)(const core::JobSpec& spec) = nullptr;
};
// The built-in ones.
absl::Span<const StrategyKind> StrategyKinds();
const StrategyKind* FindStrategyKind(std::string_view name);

}  // namespace tuner::strategies

// What a job's objectives and outcome constraints say of finished trials: values, feasibility, dominance, the Pareto
// front.
//
// Threads: plain values; the functions are pure. Objectives count in the order objective, additional_objectives.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/job_spec.h"
#include "core/trial.h"

namespace tuner::core {

inline size_t ObjectiveCount(const JobSpec& spec) { return 1 + spec.additional_objectives.size(); }
// Expects index < ObjectiveCount.
inline const Objective& ObjectiveAt(const JobSpec& spec, size_t index) {
  return index == 0 ? spec.objective : spec.additional_objectives[index - 1];
}

// The final values of all objectives, each in its own unit and direction; nullopt if one is missing or not finite.
std::optional<std::vector<double>> ObjectiveValues(const JobSpec& spec, const Trial& trial);

// Whether the final metrics keep all outcome constraints; false if one of them is missing or NaN.
bool KeepsConstraints(const JobSpec& spec, const Trial& trial);

// The first metric, of the objectives and then of the outcome constraints, of which a trial that ran to its end needs a
// finite final value and has none; null: it has all.
const std::string* MissingMetric(const JobSpec& spec, const Trial& trial);

// Whether `a` is at least as good as `b` in every objective and better in one. Values as ObjectiveValues gives them.
bool Dominates(const JobSpec& spec, const std::vector<double>& a, const std::vector<double>& b);

// The completed trials that keep all outcome constraints and that no other such trial dominates; of those with equal
// values the one that finished first. It depends on the trials only, not on the order in which they are added. With one
// objective it is the best trial alone. Cost of an Add: linear in the size of the front.
class ParetoFront {
 public:
  struct Member {
    int32_t trial = 0;
    int64_t finish_seq = 0;
    std::vector<double> values;  // in each objective's own unit
  };

  // Considers a trial in a terminal state; again without effect.
  void Add(const JobSpec& spec, const Trial& trial);

  // The best of the first objective first.
  const std::vector<Member>& members() const { return members_; }
  std::vector<int32_t> numbers() const;
  // finish_seq of the last trial that entered the front, 0 if none ever did. Who entered last is still there: only one
  // that enters later could drive it out.
  int64_t last_entered() const;

 private:
  std::vector<Member> members_;
};

// At most `most` (>= 2) of the numbers: all, or evenly many from along the list with both of its ends.
std::vector<int32_t> Thinned(const std::vector<int32_t>& numbers, size_t most);

}  // namespace tuner::core

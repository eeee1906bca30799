// Rules that end a running trial early, by its own learning curve and those of the other trials. Pure arithmetic: it
// runs inside of decisions. Each rule is a value that holds its options; adding one is a struct here, its judgement in
// the .cc, its message in proto/tuner/v1/early_stopping.proto and its line in proto/convert_rules.cc.
//
// Threads: plain values and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/types/span.h"
#include "core/curve.h"
#include "core/rules.h"

namespace tuner::core {

// Another trial of the job.
struct ReferenceCurve {
  const Curve* curve = nullptr;
  bool completed = false;
};

struct JudgedTrial {
  const Curve* curve = nullptr;
  int64_t step = 0;  // that was just measured; later ones of the curve are not looked at
  absl::Span<const ReferenceCurve> others;
  std::optional<double> best_final;  // the best final objective of the job so far
};

// Why the trial is to be stopped, in a sentence with figures; nullopt: it goes on.
std::optional<std::string> ReasonToStop(const EarlyStoppingRule& rule, const Objective& objective,
                                        const JudgedTrial& trial);

// Whether there is a rule, and it looks at other trials' curves.
bool ComparesCurves(const std::optional<EarlyStoppingRule>& rule);

// Chance that the value at `final_step` is better than `than`, as the values up to `step` let expect (CurveRule).
// nullopt: there are fewer than three.
//
// A mixture of curves a + b s^-c and a + b e^(-c s/S) over a grid of c (two of the families of Domhan et al. 2015): for
// each c a Bayesian linear regression of (a, b) with a normal-inverse-gamma prior scaled by the spread of the job's
// values, in closed form; weights by marginal likelihood; the prediction is a mixture of Student t.
std::optional<double> ChanceToBeat(const Curve& curve, int64_t step, int64_t final_step, double than, double spread,
                                   Goal goal);

}  // namespace tuner::core

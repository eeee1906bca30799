#include "tuner/requests/explain_text.h"

#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace tuner::requests {
namespace {

using Prediction = strategies::ModelView::Prediction;
using Neighbour = strategies::ModelView::Neighbour;

// Nearer than this, in length-scales, a point says much of another one.
constexpr double kNear = 0.5;

std::string Rounded(double value) { return absl::StrFormat("%.4g", value); }

std::string Percent(double share) {
  if (share < 0.005) return "under 1 %";
  return absl::StrFormat("%.0f %%", share * 100);
}

std::string PendingText(const std::vector<int32_t>& pending) {
  if (pending.empty()) return "";
  if (pending.size() > 4) return absl::StrCat(", with ", pending.size(), " trials pending");
  return absl::StrCat(", with ", pending.size() == 1 ? "trial " : "trials ", absl::StrJoin(pending, ", "), " pending");
}

std::string ExpectedValue(const core::JobSpec& spec, const Prediction& prediction) {
  return absl::StrCat(spec.objective.metric, " ", Rounded(prediction.mean), " +- ",
                      Rounded(prediction.standard_deviation));
}

std::string BestText(const core::Trial& best) {
  return absl::StrCat(Rounded(*best.objective), " of trial ", best.number);
}

}  // namespace

double ChanceToImprove(const core::Objective& objective, const Prediction& prediction, double best) {
  const double gain = objective.goal == core::Goal::kMinimize ? best - prediction.mean : prediction.mean - best;
  if (!(prediction.standard_deviation > 0)) return gain > 0 ? 1 : 0;
  return 0.5 * std::erfc(-gain / prediction.standard_deviation * std::sqrt(0.5));
}

bool ProposedByModel(const core::Trial& trial) {
  using Kind = core::Basis::Kind;
  return trial.origin == core::TrialOrigin::kStrategy && trial.basis.history_prefix > 0 &&
         (trial.basis.kind == Kind::kFresh || trial.basis.kind == Kind::kLastFit);
}

std::string OriginText(const core::Trial& trial) {
  const std::string who = absl::StrCat("Trial ", trial.number, " ");
  if (trial.origin == core::TrialOrigin::kImported) return absl::StrCat(who, "was imported with its result.");
  if (trial.origin == core::TrialOrigin::kEnqueued) return absl::StrCat(who, "was given by a user to be run.");
  if (trial.origin == core::TrialOrigin::kReused) return absl::StrCat(who, trial.reason, ".");
  if (trial.basis.kind == core::Basis::Kind::kFallback) {
    return absl::StrCat(who, "was chosen without the model, as the deadline left no time for it",
                        PendingText(trial.basis.pending_trials), ".");
  }
  if (!ProposedByModel(trial)) {
    return absl::StrCat(who, "was chosen without a model: it is one of the points that spread over the space first.");
  }
  const int64_t later = trial.basis.known_prefix - trial.basis.history_prefix;
  const std::string fit = trial.basis.kind == core::Basis::Kind::kFresh || later <= 0
                              ? absl::StrCat("fitted to the ", trial.basis.history_prefix, " results there were")
                              : absl::StrCat("fitted to the first ", trial.basis.history_prefix, " of ",
                                             trial.basis.known_prefix, " results");
  return absl::StrCat(who, "was chosen by the model, ", fit, PendingText(trial.basis.pending_trials), ".");
}

std::string ExpectationText(const core::JobSpec& spec, const Prediction& prediction, const core::Trial* best) {
  const std::string expected = absl::StrCat("The model expects ", ExpectedValue(spec, prediction), " here");
  if (best == nullptr) return expected + ".";
  return absl::StrCat(expected, "; the best is ", BestText(*best), ": a chance of ",
                      Percent(ChanceToImprove(spec.objective, prediction, *best->objective)), " to be better.");
}

std::string ProposalText(const core::JobSpec& spec, const Prediction& prediction, const core::Trial* best,
                         absl::Span<const Neighbour> nearest) {
  const std::string expected = absl::StrCat("It expected ", ExpectedValue(spec, prediction));
  if (best == nullptr) return expected + ", and no trial had a value that counts yet.";
  const std::string chance =
      absl::StrCat(expected, " against a best of ", BestText(*best), ", a chance of ",
                   Percent(ChanceToImprove(spec.objective, prediction, *best->objective)), " to improve; ");
  if (nearest.empty()) return chance + "nothing was known yet.";
  const bool promising = !spec.objective.Better(*best->objective, prediction.mean);
  const Neighbour& closest = nearest.front();
  if (closest.distance < kNear) {
    return absl::StrCat(chance,
                        promising ? "it looked closer around trial " : "it refined what was known around trial ",
                        closest.trial, ".");
  }
  return absl::StrCat(chance, promising ? "a promising place" : "little was known there", ", ",
                      Rounded(closest.distance), " length-scales from the nearest trial, ", closest.trial, ".");
}

}  // namespace tuner::requests

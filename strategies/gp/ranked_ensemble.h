// How far models of other tasks are to be believed of this one: by how well they order its results.
//
// Weights of a ranking-weighted Gaussian process ensemble (Feurer, Letham, Bakshy 2018, arXiv 1802.02219): each model's
// weight is the share of draws from all models in which it misranks the fewest pairs of results; the own model
// predicts each result from all others. Only orders count, so tasks may differ in location and scale.
//
// Threads: pure functions. Everything random comes from the Rng, so equal arguments give equal results.
#pragma once

#include <Eigen/Core>
#include <memory>
#include <utility>
#include <vector>

#include "core/rng.h"
#include "strategies/gp/posterior.h"

namespace tuner::strategies::gp {

// What a model says of the points that have results.
struct RankedModel {
  Eigen::VectorXd mean;
  Eigen::VectorXd deviation;
};

struct RankOptions {
  int samples = 256;
  int least_results = 3;   // with fewer the other models have equal weights
  int most_results = 200;  // of which pairs are counted, the newest
  // The own model's weight is at least n / (n + own_count) of n results.
  double own_count = 20;
  double horizon = 0;  // number of results at which nothing of the other models is left; 0: none
};

// Pairs (j, k) that `values` and `labels` order differently; equal labels count for neither.
int64_t MisrankedPairs(const Eigen::VectorXd& values, const Eigen::VectorXd& labels);

// The chance with which a model is left out that ranks better than the own one in `share` of the draws.
double DropProbability(double share, double results, double horizon);

struct EnsembleWeights {
  std::vector<double> others;  // by model
  double own = 1;              // all sum up to 1
};
EnsembleWeights RankWeights(const Eigen::VectorXd& labels, const std::vector<RankedModel>& others,
                            const RankedModel& own, const RankOptions& options, core::Rng rng);

// What of a posterior's labels other tasks' means tell: their sum by these weights is a mean function beside its own,
// and its deviations shrink to what they leave unexplained.
struct MeanBlend {
  struct Other {
    double weight = 0;
    std::shared_ptr<const Posterior> posterior;
    Eigen::VectorXd shift;  // added to points before its mean is taken
  };
  std::vector<Other> others;
  double deviation = 1;    // factor, > 0
  double unexplained = 1;  // share of the labels' variance that the means leave where they are, without shifts

  // The others' share of the mean.
  Eigen::VectorXd Mean(const Eigen::Ref<const Eigen::MatrixXd>& points) const;
};

// The blend that explains the labels at `points` best: the others' means, each moved a little (in the coordinates that
// are 1 in `movable`), mixed by the weights and scaled by one slope >= 0, drawn towards 1/2 while there are few labels.
MeanBlend ExplainLabels(const Eigen::Ref<const Eigen::MatrixXd>& points, const Eigen::VectorXd& labels,
                        const std::vector<std::shared_ptr<const Posterior>>& others, const EnsembleWeights& weights,
                        const Eigen::VectorXd& movable);

// Whether the labels of `own`, each predicted from all others, are likelier with the blend than without. Where the own
// model knows all that the others do, what they leave of the labels is only rougher. With `constant_mean` as in
// Posterior::SetLabels.
bool PredictsBetter(const Posterior& own, const MeanBlend& blend, bool constant_mean);

// The move of a mean's argument that lets it explain the labels best, drawn towards none: an optimum that lies a little
// elsewhere is how related tasks differ most. Maximum a posteriori by Gauss-Newton steps.
Eigen::VectorXd FitShift(const Posterior& other, const Eigen::Ref<const Eigen::MatrixXd>& points,
                         const Eigen::VectorXd& labels, const Eigen::VectorXd& movable);

}  // namespace tuner::strategies::gp

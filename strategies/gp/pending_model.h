// A posterior whose deviation knows of pending points too, and whose mean may be beside those of other tasks.
//
// Shapes: points are columns (width x m). Threads: const methods from any thread.
#pragma once

#include <Eigen/Core>
#include <vector>

#include "strategies/gp/posterior.h"
#include "strategies/gp/ranked_ensemble.h"

namespace tuner::strategies::gp {

class PendingModel {
 public:
  // `posterior` has labels. Its deviation is conditioned on `pending` points too (width x p), whose labels do not
  // matter; its mean is not (Desautels et al. 2014: hallucinated observations).
  // With `blend` the labels are what its mean leaves of the true ones.
  PendingModel(Posterior posterior, const Eigen::Ref<const Eigen::MatrixXd>& pending, MeanBlend blend = {});

  // Highest posterior mean at an observed point; 0 if there is none.
  double incumbent() const { return incumbent_; }
  double signal() const { return posterior_.signal(); }

  Eigen::VectorXd Mean(const Eigen::Ref<const Eigen::MatrixXd>& points) const;
  // Deviations are not below the true ones, and cheap.
  void Bound(const Eigen::Ref<const Eigen::MatrixXd>& points, Eigen::VectorXd& mean, Eigen::VectorXd& deviation) const;
  void Predict(const Eigen::Ref<const Eigen::MatrixXd>& points, Eigen::VectorXd& mean,
               Eigen::VectorXd& deviation) const;

  // What gradients are made of; for points that were given to Differentiate.
  struct Terms {
    Eigen::VectorXd mean;
    Eigen::VectorXd deviation;
    Eigen::MatrixXd slope;                      // of the covariances with each row
    Eigen::MatrixXd solved;                     // K^-1 k
    std::vector<Eigen::MatrixXd> other_slopes;  // by the blend's others: weighted
  };
  Terms Differentiate(const Eigen::Ref<const Eigen::MatrixXd>& points) const;
  // Gradients (width x m) of a function of mean and deviation with these derivatives (m each).
  Eigen::MatrixXd Gradients(const Eigen::Ref<const Eigen::MatrixXd>& points, const Terms& terms,
                            const Eigen::VectorXd& by_mean, const Eigen::VectorXd& by_deviation) const;

 private:
  Eigen::VectorXd MeanFrom(const Eigen::Ref<const Eigen::MatrixXd>& points, const Eigen::MatrixXd& covariance) const;

  Posterior posterior_;  // pending points included
  MeanBlend blend_;
  Eigen::VectorXd mean_weights_;  // zero for pending points
  double incumbent_ = 0;
};

}  // namespace tuner::strategies::gp

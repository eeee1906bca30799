// What a point is worth trying: acquisition functions over a posterior, and the interface that the maximiser climbs.
//
// Shapes: points are columns (width x m). Values are to be maximised. Threads: const; any thread.
#pragma once

#include <Eigen/Core>
#include <utility>

#include "strategies/gp/pending_model.h"
#include "strategies/gp/posterior.h"

namespace tuner::strategies::gp {

class Acquisition {
 public:
  virtual ~Acquisition() = default;

  // Not below Values, and cheap: without the variance.
  virtual Eigen::VectorXd UpperBounds(const Eigen::Ref<const Eigen::MatrixXd>& points) const = 0;
  virtual Eigen::VectorXd Values(const Eigen::Ref<const Eigen::MatrixXd>& points) const = 0;
  // gradients: width x m, with respect to the columns' coordinates.
  virtual void ValuesAndGradients(const Eigen::Ref<const Eigen::MatrixXd>& points, Eigen::VectorXd& values,
                                  Eigen::MatrixXd& gradients) const = 0;
};

// A function of one posterior's mean and deviation that rises with both.
class MeanDeviationAcquisition : public Acquisition {
 public:
  // `posterior` has labels. As for PendingModel.
  MeanDeviationAcquisition(Posterior posterior, const Eigen::Ref<const Eigen::MatrixXd>& pending, MeanBlend blend = {})
      : model_(std::move(posterior), pending, std::move(blend)) {}

  Eigen::VectorXd UpperBounds(const Eigen::Ref<const Eigen::MatrixXd>& points) const override;
  Eigen::VectorXd Values(const Eigen::Ref<const Eigen::MatrixXd>& points) const override;
  void ValuesAndGradients(const Eigen::Ref<const Eigen::MatrixXd>& points, Eigen::VectorXd& values,
                          Eigen::MatrixXd& gradients) const override;

  const PendingModel& model() const { return model_; }

 protected:
  struct Value {
    double value = 0;
    double by_mean = 0;       // derivative
    double by_deviation = 0;  // derivative, >= 0
  };
  virtual Value Evaluate(double mean, double deviation) const = 0;

 private:
  PendingModel model_;
};

// mean + coefficient * deviation (Srinivas et al. 2010).
class UpperConfidenceBound : public MeanDeviationAcquisition {
 public:
  UpperConfidenceBound(Posterior posterior, const Eigen::Ref<const Eigen::MatrixXd>& pending, double coefficient,
                       MeanBlend blend = {})
      : MeanDeviationAcquisition(std::move(posterior), pending, std::move(blend)), coefficient_(coefficient) {}

 protected:
  Value Evaluate(double mean, double deviation) const override;

 private:
  double coefficient_;
};

// Logarithm of the expected improvement over the incumbent's mean (Ament et al. 2023, arXiv 2310.20708).
class LogExpectedImprovement : public MeanDeviationAcquisition {
 public:
  using MeanDeviationAcquisition::MeanDeviationAcquisition;

 protected:
  Value Evaluate(double mean, double deviation) const override;
};

}  // namespace tuner::strategies::gp

// Acquisition over several modelled quantities: objectives, and outcome constraints.
//
// Shapes: points are columns (width x m). Threads: const; any thread.
//
// Sources: probability of feasibility: Gardner et al., ICML 2014; one objective: expected improvement over the best
// feasible point, as a logarithm (Ament et al. 2023). Several: expected improvement of the hypervolume, as a
// logarithm (hypervolume.h).
#pragma once

#include <Eigen/Core>
#include <optional>
#include <vector>

#include "strategies/gp/acquisition.h"
#include "strategies/gp/hypervolume.h"
#include "strategies/gp/pending_model.h"

namespace tuner::strategies::gp {

struct ConstraintModel {
  PendingModel model;
  double least = 0;  // the constraint holds where the model's value is at least this
};

class MultiOutputAcquisition : public Acquisition {
 public:
  // `results`: for each observed point that keeps the constraints, one row with a value for each objective, in the
  // models' units (f x objectives; none: only feasibility is looked for). At least one objective. `margins`, of several
  // objectives: how far below the worst values of the results' front points count, > 0.
  MultiOutputAcquisition(std::vector<PendingModel> objectives, std::vector<ConstraintModel> constraints,
                         const Eigen::MatrixXd& results, const Eigen::VectorXd& margins);

  Eigen::VectorXd UpperBounds(const Eigen::Ref<const Eigen::MatrixXd>& points) const override;
  Eigen::VectorXd Values(const Eigen::Ref<const Eigen::MatrixXd>& points) const override;
  void ValuesAndGradients(const Eigen::Ref<const Eigen::MatrixXd>& points, Eigen::VectorXd& values,
                          Eigen::MatrixXd& gradients) const override;

 private:
  // What one point's means and deviations, objectives first, are worth, with the derivatives.
  struct Worth {
    double value = 0;
    std::vector<double> by_mean;
    std::vector<double> by_deviation;
  };
  Worth Evaluate(const std::vector<double>& means, const std::vector<double>& deviations) const;
  // Of many points; means and deviations by output.
  Eigen::VectorXd ValuesOf(const std::vector<Eigen::VectorXd>& means,
                           const std::vector<Eigen::VectorXd>& deviations) const;
  void AddImprovement(double mean, double deviation, Worth& worth) const;
  void AddHypervolume(const std::vector<double>& means, const std::vector<double>& deviations, Worth& worth) const;
  const PendingModel& ModelAt(size_t i) const;
  size_t output_count() const { return objectives_.size() + constraints_.size(); }

  std::vector<PendingModel> objectives_;
  std::vector<ConstraintModel> constraints_;
  bool any_feasible_;
  double incumbent_ = 0;                               // of one objective
  std::optional<HypervolumeImprovement> improvement_;  // of several
};

}  // namespace tuner::strategies::gp

// Gaussian processes for tests: the reference of the specification, and random ones.
#pragma once

#include <Eigen/Core>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/rng.h"
#include "strategies/gp/fit.h"
#include "strategies/gp/posterior.h"

namespace tuner::strategies::gp {

struct ModelCase {
  Eigen::MatrixXd points;  // width x n
  std::vector<int> groups;
  Eigen::VectorXd labels;
  KernelParameters parameters;

  Posterior Fitted() const {
    Posterior posterior(points, groups, parameters);
    posterior.SetLabels(labels);
    return posterior;
  }
};

// Checked against scikit-learn 1.9.1 to 1e-12.
inline ModelCase ReferenceCase() {
  ModelCase result;
  result.points.resize(2, 5);
  result.points << .1, .4, .5, .8, .9,  //
      .2, .9, .5, .3, .7;
  result.groups = {0, 1};
  result.labels.resize(5);
  result.labels << .3, -.5, 1.2, .1, -.9;
  result.parameters = {.log_length = Eigen::Vector2d(std::log(.3), std::log(.7)),
                       .log_signal = std::log(1.5),
                       .log_noise = std::log(.01)};
  return result;
}

inline Eigen::MatrixXd RandomMatrix(core::Rng& rng, Eigen::Index rows, Eigen::Index cols) {
  Eigen::MatrixXd result(rows, cols);
  for (double& x : result.reshaped()) x = rng.NextDouble() - 0.5;
  return result;
}

// Some columns share a group.
inline ModelCase RandomCase(uint64_t seed, Eigen::Index n, double least_noise = 1e-4) {
  core::Rng rng(seed, 0);
  ModelCase result;
  const auto width = static_cast<Eigen::Index>(1 + rng.NextBelow(7));
  result.points = RandomMatrix(rng, width, n);
  int groups = 0;
  for (Eigen::Index i = 0; i < width; ++i)
    result.groups.push_back(i > 0 && rng.NextBelow(4) == 0 ? groups - 1 : groups++);
  result.labels = 4 * RandomMatrix(rng, n, 1);
  result.parameters.log_length.resize(groups);
  for (double& length : result.parameters.log_length) length = std::log(0.1) + 3 * rng.NextDouble();
  result.parameters.log_signal = 2 * rng.NextDouble() - 1;
  result.parameters.log_noise = std::log(least_noise) * rng.NextDouble();
  return result;
}

}  // namespace tuner::strategies::gp

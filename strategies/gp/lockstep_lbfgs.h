// Climbs from several starts at once: each step evaluates one point of every climb together, so that the model's
// products are matrix products. Each climb has its own quasi-Newton memory, and goes as it would alone.
//
// Threads: pure function. Source: limited-memory BFGS with projection onto a box (Nocedal and Wright 2006,
// algorithm 7.4; projection and line search as in Bertsekas 1982).
#pragma once

#include <Eigen/Core>
#include <functional>
#include <vector>

namespace tuner::strategies::gp {

struct ClimbOptions {
  int max_evaluations = 40;       // of each climb
  double value_tolerance = 1e-7;  // relative gain of a step at which a climb has ended
  double step_tolerance = 1e-7;   // longest coordinate of a step at which it has ended
};

// Values (m) and gradients (d x m) of points (d x m), of the climbs whose numbers are given.
using BatchFunction = std::function<void(const Eigen::MatrixXd& points, const std::vector<int>& climbs,
                                         Eigen::VectorXd& values, Eigen::MatrixXd& gradients)>;

struct ClimbResult {
  Eigen::MatrixXd points;  // d x m: best of each climb
  Eigen::VectorXd values;
};

// `starts`, `low` and `high`: d x m. `scales` (d): natural length of each coordinate, > 0.
ClimbResult Climb(const Eigen::MatrixXd& starts, const Eigen::MatrixXd& low, const Eigen::MatrixXd& high,
                  const Eigen::VectorXd& scales, const BatchFunction& function, const ClimbOptions& options);

}  // namespace tuner::strategies::gp

// Where the model sees a point: from parameters to unit coordinates to the columns of the kernel.
//
// Units: one coordinate in [0, 1] for each parameter of the space, on its scale. A snapped vector of units has each
// countable parameter at its value's own coordinate and each inactive one at 0.5, so that equal points are equal
// bit by bit. Threads: immutable; any thread.
//
// Columns: a numeric parameter is one column, its unit coordinate; a categorical or boolean one has a column for each
// level (and one for being inactive) that is sqrt(1/2) at its own, so that two different levels have squared
// distance 1. Inactive numeric parameters stand in the middle; two points that differ in activity differ in a parent as
// well.
#pragma once

#include <Eigen/Core>
#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "core/search_space.h"

namespace tuner::strategies::gp {

class Encoder {
 public:
  // with_fidelity: one more column, the last, with a group of its own: where between the smallest resource and the
  // whole one a result was measured.
  explicit Encoder(core::SearchSpace space, bool with_fidelity = false);

  const core::SearchSpace& space() const { return space_; }
  int parameter_count() const { return static_cast<int>(parameters_.size()); }
  int width() const { return static_cast<int>(column_groups_.size()); }
  // Group (length-scale) of each column. Parameters of one value have none.
  const std::vector<int>& column_groups() const { return column_groups_; }
  // Parameter of each group.
  const std::vector<int>& group_parameters() const { return group_parameters_; }
  int group_count() const { return static_cast<int>(group_parameters_.size()) + (with_fidelity_ ? 1 : 0); }
  bool with_fidelity() const { return with_fidelity_; }
  // In [0, 1], of the points that are encoded from now on; at first 1. The coordinate of the last column.
  void set_fidelity(double unit) { fidelity_ = unit; }
  static double FidelityColumn(double unit);

  struct ParameterInfo {
    int first_column = -1;  // -1: it has one value only
    int columns = 0;        // 1 for a numeric one
    bool numeric = true;
    // Whether a gradient may move it: continuous, or with more values than can be tried one by one.
    bool smooth = false;
    std::vector<double> centres;  // ascending coordinates of its values, if there are few
    int parent = -1;
    std::vector<double> parent_units;  // active where the parent has one of these
  };
  const ParameterInfo& info(int parameter) const { return parameters_[static_cast<size_t>(parameter)]; }

  // Rounds to a point of the space; see above. units: parameter_count.
  void Snap(absl::Span<double> units) const;
  bool IsActive(int parameter, absl::Span<const double> snapped) const;
  // Expects snapped units. column: width.
  void Encode(absl::Span<const double> snapped, double* column) const;
  Eigen::MatrixXd EncodeAll(const std::vector<std::vector<double>>& snapped) const;

  // Snapped units of a point of the space.
  std::vector<double> Units(const core::ParameterMap& point) const;
  core::ParameterMap Point(const std::vector<double>& snapped) const { return space_.PointFromUnits(snapped); }

 private:
  double SnapOne(int parameter, double unit) const;

  core::SearchSpace space_;
  std::vector<ParameterInfo> parameters_;
  std::vector<int> column_groups_;
  std::vector<int> group_parameters_;
  bool with_fidelity_ = false;
  double fidelity_ = 1;
};

}  // namespace tuner::strategies::gp

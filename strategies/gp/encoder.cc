#include "strategies/gp/encoder.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/numeric/int128.h"

namespace tuner::strategies::gp {
namespace {

constexpr double kMiddle = 0.5;
// A parameter with more values is rounded by arithmetic.
constexpr int kListedValues = 4096;
// A numeric parameter with more values is moved by gradients as well.
constexpr int kSmoothValues = 24;

bool IsNominal(const core::Domain& domain) {
  return std::holds_alternative<core::CategoricalDomain>(domain) || std::holds_alternative<core::BooleanDomain>(domain);
}

}  // namespace

Encoder::Encoder(core::SearchSpace space, bool with_fidelity)
    : space_(std::move(space)), with_fidelity_(with_fidelity) {
  const auto& parameters = space_.parameters();
  for (int i = 0; i < static_cast<int>(parameters.size()); ++i) {
    const core::Parameter& parameter = parameters[static_cast<size_t>(i)];
    const std::optional<absl::uint128> count = space_.ValueCount(i, /*for_grid=*/false);
    ParameterInfo info;
    info.numeric = !IsNominal(parameter.domain);
    info.parent = parameter.parent;
    for (const core::ParameterValue& value : parameter.parent_values) {
      info.parent_units.push_back(space_.ToUnit(parameter.parent, value));
    }
    if (count.has_value() && *count <= kListedValues) {
      for (absl::uint128 v = 0; v < *count; ++v) {
        info.centres.push_back(space_.ToUnit(i, space_.ValueAt(i, v, /*for_grid=*/false)));
      }
      std::sort(info.centres.begin(), info.centres.end());
    }
    info.smooth = info.numeric && (!count.has_value() || *count > kSmoothValues);
    if (!count.has_value() || *count > 1) {
      info.first_column = width();
      info.columns = info.numeric ? 1 : static_cast<int>(info.centres.size()) + (info.parent >= 0 ? 1 : 0);
      column_groups_.insert(column_groups_.end(), static_cast<size_t>(info.columns),
                            static_cast<int>(group_parameters_.size()));
      group_parameters_.push_back(i);
    }
    parameters_.push_back(std::move(info));
  }
  if (with_fidelity_) column_groups_.push_back(static_cast<int>(group_parameters_.size()));
}

double Encoder::FidelityColumn(double unit) { return unit - kMiddle; }

double Encoder::SnapOne(int parameter, double unit) const {
  const ParameterInfo& info = parameters_[static_cast<size_t>(parameter)];
  unit = std::clamp(unit, 0.0, 1.0);
  if (info.centres.empty()) return space_.ToUnit(parameter, space_.FromUnit(parameter, unit));
  const auto above = std::lower_bound(info.centres.begin(), info.centres.end(), unit);
  if (above == info.centres.begin()) return *above;
  if (above == info.centres.end()) return info.centres.back();
  return *above - unit < unit - *(above - 1) ? *above : *(above - 1);
}

bool Encoder::IsActive(int parameter, absl::Span<const double> snapped) const {
  // Parents come first and an inactive one stands in the middle, so each link of the chain is looked at.
  while (true) {
    const ParameterInfo& info = parameters_[static_cast<size_t>(parameter)];
    if (info.parent < 0) return true;
    const double unit = snapped[static_cast<size_t>(info.parent)];
    if (std::find(info.parent_units.begin(), info.parent_units.end(), unit) == info.parent_units.end()) return false;
    parameter = info.parent;
  }
}

void Encoder::Snap(absl::Span<double> units) const {
  for (int i = 0; i < parameter_count(); ++i) {
    double& unit = units[static_cast<size_t>(i)];
    unit = IsActive(i, units) ? SnapOne(i, unit) : kMiddle;
  }
}

void Encoder::Encode(absl::Span<const double> snapped, double* column) const {
  std::fill_n(column, width(), 0.0);
  if (with_fidelity_) column[width() - 1] = FidelityColumn(fidelity_);
  for (int i = 0; i < parameter_count(); ++i) {
    const ParameterInfo& info = parameters_[static_cast<size_t>(i)];
    if (info.first_column < 0) continue;
    const double unit = snapped[static_cast<size_t>(i)];
    if (info.numeric) {
      // From the middle, so that squared distances lose less to cancellation.
      column[info.first_column] = unit - kMiddle;
      continue;
    }
    int level = info.columns - 1;
    if (IsActive(i, snapped)) {
      level = static_cast<int>(std::lower_bound(info.centres.begin(), info.centres.end(), unit) - info.centres.begin());
    }
    column[info.first_column + level] = std::sqrt(0.5);
  }
}

Eigen::MatrixXd Encoder::EncodeAll(const std::vector<std::vector<double>>& snapped) const {
  Eigen::MatrixXd columns(width(), static_cast<Eigen::Index>(snapped.size()));
  for (size_t i = 0; i < snapped.size(); ++i) Encode(snapped[i], columns.col(static_cast<Eigen::Index>(i)).data());
  return columns;
}

std::vector<double> Encoder::Units(const core::ParameterMap& point) const {
  std::vector<double> units(parameters_.size(), kMiddle);
  const auto& parameters = space_.parameters();
  for (size_t i = 0; i < parameters.size(); ++i) {
    const auto it = point.find(parameters[i].name);
    if (it != point.end()) units[i] = space_.ToUnit(static_cast<int>(i), it->second);
  }
  // Continuous coordinates come back as they are; rounding them again would move their last bits.
  for (int i = 0; i < parameter_count(); ++i) {
    const ParameterInfo& info = parameters_[static_cast<size_t>(i)];
    if (!IsActive(i, units)) {
      units[static_cast<size_t>(i)] = kMiddle;
    } else if (!info.centres.empty()) {
      units[static_cast<size_t>(i)] = SnapOne(i, units[static_cast<size_t>(i)]);
    }
  }
  return units;
}

}  // namespace tuner::strategies::gp

#include "core/domain.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace tuner::core::domain {
namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

// Three decades, less what division may lose: 0.01 / 1e-5 is 999.9999999999999.
constexpr double kAutoLogRatio = 1000 * (1 - 1e-9);
// A value this close to a step, as a share of the step, is on it.
constexpr double kStepTolerance = 1e-6;
// A value this close to a listed one, relative to it, is that one.
constexpr double kListTolerance = 1e-12;
// Of a grid's value on a curved scale; logarithms leave no more.
constexpr int kGridDigits = 12;

Scale ResolveScale(Scale scale, double min, double max) {
  if (scale != Scale::kAuto) return scale;
  return min > 0 && max / min >= kAutoLogRatio ? Scale::kLog : Scale::kLinear;
}

double Printed(double value, std::chars_format format, int precision) {
  char text[400];
  const auto printed = std::to_chars(text, text + sizeof(text), value, format, precision);
  double read = value;
  std::from_chars(text, printed.ptr, read);
  return read == 0 ? 0.0 : read;  // one zero, not two
}

// The nearest number of few decimals, so that 3 * 0.1 is 0.3 and -4 + 39 * 0.1 is -0.1. `magnitude`: of the numbers it
// was computed from; 15 digits of it are kept.
double CleanSum(double value, double magnitude) {
  const int decimals = 14 - static_cast<int>(std::floor(std::log10(magnitude)));
  if (decimals < 0 || decimals > 300) return value;
  return Printed(value, std::chars_format::fixed, decimals);
}

double ToAxis(Scale scale, double value) {
  switch (scale) {
    case Scale::kLog:
      return std::log(value);
    case Scale::kReverseLog:
      return -std::log1p(-value);
    case Scale::kAuto:
    case Scale::kLinear:
      break;
  }
  return value;
}

double FromAxis(Scale scale, double position) {
  switch (scale) {
    case Scale::kLog:
      return std::exp(position);
    case Scale::kReverseLog:
      return -std::expm1(-position);
    case Scale::kAuto:
    case Scale::kLinear:
      break;
  }
  return position;
}

// Lies between both ends and hits them exactly; does not overflow where max - min would.
double Interpolate(double low, double high, double u) { return low * (1 - u) + high * u; }

double ContinuousToUnit(const DoubleDomain& domain, double value) {
  const double low = ToAxis(domain.scale, domain.min);
  const double high = ToAxis(domain.scale, domain.max);
  return std::clamp((ToAxis(domain.scale, value) - low) / (high - low), 0.0, 1.0);
}

double ContinuousFromUnit(const DoubleDomain& domain, double u) {
  if (u <= 0) return domain.min;
  if (u >= 1) return domain.max;
  const double position = Interpolate(ToAxis(domain.scale, domain.min), ToAxis(domain.scale, domain.max), u);
  return std::clamp(FromAxis(domain.scale, position), domain.min, domain.max);
}

// min, min + step, ..., on an axis that is not linear. Each value owns the cell between the midpoints to its
// neighbours; the outermost cells reach as far out from their value as in, measured on the axis, so no bound leaves the
// scale's range.
struct Ladder {
  Scale scale;
  double min;
  double step;
  uint64_t count;

  double Value(double index) const { return min + step * index; }
  double Low() const { return 2 * ToAxis(scale, min) - ToAxis(scale, Value(0.5)); }
  double High() const {
    const double last = static_cast<double>(count - 1);
    return 2 * ToAxis(scale, Value(last)) - ToAxis(scale, Value(last - 0.5));
  }
  double ToUnit(uint64_t index) const {
    return (ToAxis(scale, Value(static_cast<double>(index))) - Low()) / (High() - Low());
  }
  uint64_t FromUnit(double u) const {
    const double position = (FromAxis(scale, Interpolate(Low(), High(), u)) - min) / step + 0.5;
    if (!(position > 0)) return 0;
    return position >= static_cast<double>(count) ? count - 1 : static_cast<uint64_t>(position);
  }
};

// The ladder of an unevenly spaced countable domain; nullopt: all cells are equal.
std::optional<Ladder> UnevenLadder(const Domain& domain) {
  if (const auto* real = std::get_if<DoubleDomain>(&domain)) {
    if (real->scale == Scale::kLinear || !real->step.has_value()) return std::nullopt;
    return Ladder{real->scale, real->min, *real->step, *Count(domain, false)};
  }
  if (const auto* integer = std::get_if<IntegerDomain>(&domain)) {
    if (integer->scale == Scale::kLinear) return std::nullopt;
    return Ladder{integer->scale, static_cast<double>(integer->min), static_cast<double>(integer->step.value_or(1)),
                  *Count(domain, false)};
  }
  return std::nullopt;
}

double Magnitude(const DoubleDomain& domain) { return std::max(std::fabs(domain.min), std::fabs(domain.max)); }

double SteppedValue(const DoubleDomain& domain, uint64_t index) {
  if (index == 0) return domain.min;
  const double value = domain.min + static_cast<double>(index) * *domain.step;
  return std::min(CleanSum(value, Magnitude(domain)), domain.max);
}

double GridValue(const DoubleDomain& domain, uint64_t index) {
  const uint64_t points = static_cast<uint64_t>(*domain.grid_points);
  if (points > 1 && index == 0) return domain.min;
  if (points > 1 && index == points - 1) return domain.max;
  const double u = points == 1 ? 0.5 : static_cast<double>(index) / static_cast<double>(points - 1);
  const double value = ContinuousFromUnit(domain, u);
  const double clean = domain.scale == Scale::kLinear ? CleanSum(value, Magnitude(domain))
                                                      : Printed(value, std::chars_format::general, kGridDigits);
  return std::clamp(clean, domain.min, domain.max);
}

std::optional<double> AsDouble(const ParameterValue& value) {
  if (const auto* real = std::get_if<double>(&value)) return *real == 0 ? 0.0 : *real;  // one zero, not two
  if (const auto* integer = std::get_if<int64_t>(&value)) return static_cast<double>(*integer);
  return std::nullopt;
}

std::optional<int64_t> AsInteger(const ParameterValue& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) return *integer;
  const auto* real = std::get_if<double>(&value);
  if (real == nullptr || !(std::fabs(*real) <= 0x1p53) || std::trunc(*real) != *real) return std::nullopt;
  return static_cast<int64_t>(*real);
}

std::optional<ParameterValue> CanonicalDouble(const DoubleDomain& domain, const ParameterValue& value) {
  const std::optional<double> number = AsDouble(value);
  if (!number.has_value()) return std::nullopt;
  const double tolerance = kStepTolerance * domain.step.value_or(0);
  if (!(*number >= domain.min - tolerance && *number <= domain.max + tolerance)) return std::nullopt;
  if (!domain.step.has_value()) return *number;
  const double index = std::max(0.0, std::round((*number - domain.min) / *domain.step));
  const uint64_t last = *Count(domain, false) - 1;
  const double nearest = SteppedValue(domain, std::min(static_cast<uint64_t>(index), last));
  if (std::fabs(nearest - *number) > tolerance) return std::nullopt;
  return nearest;
}

std::optional<ParameterValue> CanonicalInteger(const IntegerDomain& domain, const ParameterValue& value) {
  const std::optional<int64_t> number = AsInteger(value);
  if (!number.has_value() || *number < domain.min || *number > domain.max) return std::nullopt;
  if ((*number - domain.min) % domain.step.value_or(1) != 0) return std::nullopt;
  return *number;
}

std::optional<ParameterValue> CanonicalDiscrete(const DiscreteDomain& domain, const ParameterValue& value) {
  const std::optional<double> number = AsDouble(value);
  if (!number.has_value()) return std::nullopt;
  for (const double listed : domain.values) {
    if (std::fabs(listed - *number) <= kListTolerance * std::fabs(listed)) return listed;
  }
  return std::nullopt;
}

}  // namespace

Domain Resolve(Domain domain) {
  if (auto* real = std::get_if<DoubleDomain>(&domain)) {
    real->min = *AsDouble(real->min);
    real->max = *AsDouble(real->max);
    real->scale = ResolveScale(real->scale, real->min, real->max);
  } else if (auto* integer = std::get_if<IntegerDomain>(&domain)) {
    integer->scale = ResolveScale(integer->scale, static_cast<double>(integer->min), static_cast<double>(integer->max));
  } else if (auto* discrete = std::get_if<DiscreteDomain>(&domain)) {
    for (double& value : discrete->values) value = *AsDouble(value);
    std::sort(discrete->values.begin(), discrete->values.end());
    if (!discrete->values.empty()) {
      discrete->scale = ResolveScale(discrete->scale, discrete->values.front(), discrete->values.back());
    }
  }
  return domain;
}

std::optional<ParameterValue> Canonical(const Domain& domain, const ParameterValue& value) {
  return std::visit(Overloaded{
                        [&](const DoubleDomain& d) { return CanonicalDouble(d, value); },
                        [&](const IntegerDomain& d) { return CanonicalInteger(d, value); },
                        [&](const DiscreteDomain& d) { return CanonicalDiscrete(d, value); },
                        [&](const CategoricalDomain& d) -> std::optional<ParameterValue> {
                          const auto* text = std::get_if<std::string>(&value);
                          if (text == nullptr || std::find(d.values.begin(), d.values.end(), *text) == d.values.end())
                            return std::nullopt;
                          return value;
                        },
                        [&](const BooleanDomain&) -> std::optional<ParameterValue> {
                          if (!std::holds_alternative<bool>(value)) return std::nullopt;
                          return value;
                        },
                    },
                    domain);
}

std::string Describe(const Domain& domain) {
  constexpr size_t kMaxListed = 8;
  const auto list = [](const auto& values, const auto& print) {
    std::string text = "one of ";
    for (size_t i = 0; i < values.size() && i < kMaxListed; ++i)
      absl::StrAppend(&text, i > 0 ? ", " : "", print(values[i]));
    if (values.size() > kMaxListed) absl::StrAppend(&text, ", ... (", values.size(), " values)");
    return text;
  };
  return std::visit(
      Overloaded{
          [](const DoubleDomain& d) {
            return absl::StrCat("a number from ", FormatValue(d.min), " to ", FormatValue(d.max),
                                d.step.has_value() ? absl::StrCat(" in steps of ", FormatValue(*d.step)) : "");
          },
          [](const IntegerDomain& d) {
            return absl::StrCat("a whole number from ", d.min, " to ", d.max,
                                d.step.has_value() ? absl::StrCat(" in steps of ", *d.step) : "");
          },
          [&](const DiscreteDomain& d) { return list(d.values, [](double v) { return FormatValue(v); }); },
          [&](const CategoricalDomain& d) {
            return list(d.values, [](const std::string& v) { return absl::StrCat("\"", v, "\""); });
          },
          [](const BooleanDomain&) { return std::string("true or false"); },
      },
      domain);
}

std::optional<uint64_t> Count(const Domain& domain, bool for_grid) {
  return std::visit(Overloaded{
                        [&](const DoubleDomain& d) -> std::optional<uint64_t> {
                          if (d.min == d.max) return 1;
                          if (d.step.has_value())
                            return static_cast<uint64_t>((d.max - d.min) / *d.step + kStepTolerance) + 1;
                          if (for_grid && d.grid_points.has_value()) return static_cast<uint64_t>(*d.grid_points);
                          return std::nullopt;
                        },
                        [](const IntegerDomain& d) -> std::optional<uint64_t> {
                          return static_cast<uint64_t>(d.max - d.min) / static_cast<uint64_t>(d.step.value_or(1)) + 1;
                        },
                        [](const CategoricalDomain& d) -> std::optional<uint64_t> { return d.values.size(); },
                        [](const BooleanDomain&) -> std::optional<uint64_t> { return 2; },
                        [](const DiscreteDomain& d) -> std::optional<uint64_t> { return d.values.size(); },
                    },
                    domain);
}

ParameterValue ValueAt(const Domain& domain, uint64_t index, bool for_grid) {
  return std::visit(Overloaded{
                        [&](const DoubleDomain& d) -> ParameterValue {
                          if (d.min == d.max) return d.min;
                          if (d.step.has_value() || !for_grid) return SteppedValue(d, index);
                          return GridValue(d, index);
                        },
                        [&](const IntegerDomain& d) -> ParameterValue {
                          return d.min + static_cast<int64_t>(index) * d.step.value_or(1);
                        },
                        [&](const CategoricalDomain& d) -> ParameterValue { return d.values[index]; },
                        [&](const BooleanDomain&) -> ParameterValue { return index == 1; },
                        [&](const DiscreteDomain& d) -> ParameterValue { return d.values[index]; },
                    },
                    domain);
}

uint64_t IndexOf(const Domain& domain, const ParameterValue& value) {
  return std::visit(
      Overloaded{
          [&](const DoubleDomain& d) -> uint64_t {
            if (d.min == d.max || !d.step.has_value()) return 0;
            return static_cast<uint64_t>(std::round((std::get<double>(value) - d.min) / *d.step));
          },
          [&](const IntegerDomain& d) -> uint64_t {
            return static_cast<uint64_t>(std::get<int64_t>(value) - d.min) / static_cast<uint64_t>(d.step.value_or(1));
          },
          [&](const CategoricalDomain& d) -> uint64_t {
            return std::find(d.values.begin(), d.values.end(), std::get<std::string>(value)) - d.values.begin();
          },
          [&](const BooleanDomain&) -> uint64_t { return std::get<bool>(value) ? 1 : 0; },
          [&](const DiscreteDomain& d) -> uint64_t {
            return std::lower_bound(d.values.begin(), d.values.end(), std::get<double>(value)) - d.values.begin();
          },
      },
      domain);
}

double ToUnit(const Domain& domain, const ParameterValue& value) {
  const std::optional<uint64_t> count = Count(domain, false);
  if (!count.has_value()) return ContinuousToUnit(std::get<DoubleDomain>(domain), std::get<double>(value));
  if (*count == 1) return 0.5;
  const uint64_t index = IndexOf(domain, value);
  if (const std::optional<Ladder> ladder = UnevenLadder(domain)) return ladder->ToUnit(index);
  return (static_cast<double>(index) + 0.5) / static_cast<double>(*count);
}

std::optional<double> ToUnitBeyond(const Domain& domain, const ParameterValue& value) {
  if (const std::optional<ParameterValue> inside = Canonical(domain, value)) return ToUnit(domain, *inside);
  const std::optional<double> x = AsDouble(value);
  const std::optional<uint64_t> count = Count(domain, false);
  if (!x.has_value() || count == 1) return std::nullopt;
  // Between two points of the domain, or beyond the last two: linear in what the scale makes of the values.
  const auto between = [&](Scale scale, double low, double u_low, double high, double u_high) -> std::optional<double> {
    const double share = (ToAxis(scale, *x) - ToAxis(scale, low)) / (ToAxis(scale, high) - ToAxis(scale, low));
    const double unit = u_low + share * (u_high - u_low);
    if (!std::isfinite(unit)) return std::nullopt;
    return unit;
  };
  if (const auto* discrete = std::get_if<DiscreteDomain>(&domain)) {
    const std::vector<double>& values = discrete->values;
    const auto above = std::lower_bound(values.begin() + 1, values.end() - 1, *x);
    return between(discrete->scale, *(above - 1), ToUnit(domain, *(above - 1)), *above, ToUnit(domain, *above));
  }
  if (const auto* integer = std::get_if<IntegerDomain>(&domain)) {
    const auto last = std::get<int64_t>(ValueAt(domain, *count - 1, false));
    return between(integer->scale, static_cast<double>(integer->min), ToUnit(domain, integer->min),
                   static_cast<double>(last), ToUnit(domain, last));
  }
  if (const auto* real = std::get_if<DoubleDomain>(&domain)) {
    if (!count.has_value()) return between(real->scale, real->min, 0, real->max, 1);
    const double last = SteppedValue(*real, *count - 1);
    return between(real->scale, real->min, ToUnit(domain, real->min), last, ToUnit(domain, last));
  }
  return std::nullopt;
}

ParameterValue FromUnit(const Domain& domain, double u) {
  u = u > 0 ? std::min(u, 1.0) : 0.0;
  if (!Count(domain, false).has_value()) return ContinuousFromUnit(std::get<DoubleDomain>(domain), u);
  return ValueAt(domain, PlaceFromUnit(domain, u), false);
}

uint64_t PlaceFromUnit(const Domain& domain, double u) {
  u = u > 0 ? std::min(u, 1.0) : 0.0;
  const uint64_t count = Count(domain, false).value_or(1);
  if (count == 1) return 0;
  if (const std::optional<Ladder> ladder = UnevenLadder(domain)) return ladder->FromUnit(u);
  const uint64_t index = static_cast<uint64_t>(u * static_cast<double>(count));
  return std::min(index, count - 1);
}

double Number(const Domain& domain, const ParameterValue& value) {
  if (const auto* real = std::get_if<double>(&value)) return *real;
  if (const auto* whole = std::get_if<int64_t>(&value)) return static_cast<double>(*whole);
  return static_cast<double>(IndexOf(domain, value));
}

double NumberAt(const Domain& domain, uint64_t index, bool for_grid) {
  const bool is_listed =
      std::holds_alternative<CategoricalDomain>(domain) || std::holds_alternative<BooleanDomain>(domain);
  return is_listed ? static_cast<double>(index) : Number(domain, ValueAt(domain, index, for_grid));
}

double NumberFromUnit(const Domain& domain, double u) {
  u = u > 0 ? std::min(u, 1.0) : 0.0;
  if (!Count(domain, false).has_value()) return ContinuousFromUnit(std::get<DoubleDomain>(domain), u);
  return NumberAt(domain, PlaceFromUnit(domain, u), false);
}

}  // namespace tuner::core::domain

#include "proto/convert_parameters.h"

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "proto/convert.h"

namespace tuner::convert {
namespace {

using WireParameters = google::protobuf::RepeatedPtrField<v1::Parameter>;

// What doubles hold exactly, and integer parameters are bounded by.
constexpr double kMaxExactInteger = 9007199254740992.0;

core::Scale ReadScale(v1::Scaling::Scale scale, const std::string& path, core::Problems& problems) {
  switch (scale) {
    case v1::Scaling::LINEAR:
      return core::Scale::kLinear;
    case v1::Scaling::LOG:
      return core::Scale::kLog;
    case v1::Scaling::REVERSE_LOG:
      return core::Scale::kReverseLog;
    case v1::Scaling::SCALE_UNSPECIFIED:
    case v1::Scaling::AUTO:
      return core::Scale::kAuto;
    default:
      problems.push_back(
          {absl::StrCat(path, ".scale"),
           absl::StrCat("is ", static_cast<int>(scale), ", which is no scale; use LINEAR, LOG, REVERSE_LOG or AUTO")});
      return core::Scale::kAuto;
  }
}

v1::Scaling::Scale WireScale(core::Scale scale) {
  switch (scale) {
    case core::Scale::kLinear:
      return v1::Scaling::LINEAR;
    case core::Scale::kLog:
      return v1::Scaling::LOG;
    case core::Scale::kReverseLog:
      return v1::Scaling::REVERSE_LOG;
    case core::Scale::kAuto:
      break;
  }
  return v1::Scaling::AUTO;
}

// Reads one specification's parameters into a flat list.
class Reader {
 public:
  explicit Reader(core::Problems& problems) : problems_(problems) {}

  void ReadAll(const WireParameters& wire, const std::string& path, int parent,
               const std::vector<core::ParameterValue>& parent_values) {
    for (int i = 0; i < wire.size(); ++i) Read(wire[i], absl::StrCat(path, "[", i, "]"), parent, parent_values);
  }

  std::vector<core::Parameter> Take() { return std::move(parameters_); }

 private:
  void Read(const v1::Parameter& wire, const std::string& path, int parent,
            const std::vector<core::ParameterValue>& parent_values) {
    core::Parameter parameter;
    parameter.name = wire.name();
    parameter.path = path;
    parameter.parent = parent;
    parameter.parent_values = parent_values;
    const std::optional<core::Domain> domain = ReadDomain(wire, path);
    // A boolean in the place of what is missing lets the rest be checked.
    parameter.domain = domain.value_or(core::BooleanDomain());
    if (wire.has_default_())
      parameter.default_value = ReadValue(wire.default_(), domain, absl::StrCat(path, ".default"));
    if (!domain) parameter.default_value.reset();
    parameters_.push_back(std::move(parameter));
    ReadChildren(wire, path, domain, static_cast<int>(parameters_.size()) - 1);
  }

  void ReadChildren(const v1::Parameter& wire, const std::string& path, const std::optional<core::Domain>& domain,
                    int index) {
    for (int j = 0; j < wire.children_size(); ++j) {
      const v1::ConditionalChildren& children = wire.children(j);
      const std::string child_path = absl::StrCat(path, ".children[", j, "]");
      if (children.values().empty()) {
        Add(absl::StrCat(child_path, ".values"),
            "is empty; name the values of the parent under which the children are active");
      }
      if (children.parameters().empty())
        Add(absl::StrCat(child_path, ".parameters"), "is empty; give at least one child");
      std::vector<core::ParameterValue> values;
      for (int k = 0; k < children.values_size(); ++k) {
        auto value = ReadValue(children.values(k), domain, absl::StrCat(child_path, ".values[", k, "]"));
        if (value) values.push_back(*std::move(value));
      }
      // Children whose condition cannot be read are checked as if they had none.
      const bool is_conditional =
          domain.has_value() && static_cast<int>(values.size()) == children.values_size() && !values.empty();
      if (!is_conditional) values.clear();
      ReadAll(children.parameters(), absl::StrCat(child_path, ".parameters"), is_conditional ? index : -1, values);
    }
  }

  std::optional<core::Domain> ReadDomain(const v1::Parameter& wire, const std::string& path) {
    switch (wire.domain_case()) {
      case v1::Parameter::kDouble: {
        const v1::DoubleParameter& from = wire.double_();
        core::DoubleDomain to{
            .min = from.min(), .max = from.max(), .scale = ReadScale(from.scale(), path + ".double", problems_)};
        if (from.has_step()) to.step = from.step();
        if (from.has_grid_points()) to.grid_points = from.grid_points();
        return to;
      }
      case v1::Parameter::kInteger: {
        const v1::IntegerParameter& from = wire.integer();
        core::IntegerDomain to{
            .min = from.min(), .max = from.max(), .scale = ReadScale(from.scale(), path + ".integer", problems_)};
        if (from.has_step()) to.step = from.step();
        return to;
      }
      case v1::Parameter::kCategorical:
        return core::CategoricalDomain{{wire.categorical().values().begin(), wire.categorical().values().end()}};
      case v1::Parameter::kBoolean:
        return core::BooleanDomain();
      case v1::Parameter::kDiscrete: {
        const v1::DiscreteParameter& from = wire.discrete();
        return core::DiscreteDomain{.values = {from.values().begin(), from.values().end()},
                                    .scale = ReadScale(from.scale(), path + ".discrete", problems_)};
      }
      case v1::Parameter::DOMAIN_NOT_SET:
        break;
    }
    Add(path, "says not what values it takes; give one of double, integer, categorical, boolean or discrete");
    return std::nullopt;
  }

  // In the type that `domain` has; a number that is none of its values stays as it is, for core to refuse.
  std::optional<core::ParameterValue> ReadValue(const google::protobuf::Value& wire,
                                                const std::optional<core::Domain>& domain, const std::string& path) {
    absl::StatusOr<core::ParameterValue> value = FromProto(wire);
    if (!value.ok()) {
      Add(path, std::string(value.status().message()));
      return std::nullopt;
    }
    const double* number = std::get_if<double>(&*value);
    if (number != nullptr && domain && std::holds_alternative<core::IntegerDomain>(*domain) &&
        std::abs(*number) <= kMaxExactInteger && *number == std::floor(*number)) {
      return static_cast<int64_t>(*number);
    }
    return *std::move(value);
  }

  void Add(std::string path, std::string text) { problems_.push_back({std::move(path), std::move(text)}); }

  core::Problems& problems_;
  std::vector<core::Parameter> parameters_;
};

}  // namespace

std::vector<core::Parameter> ReadParameters(const WireParameters& wire, core::Problems& problems) {
  Reader reader(problems);
  reader.ReadAll(wire, "parameters", /*parent=*/-1, /*parent_values=*/{});
  return reader.Take();
}

void WriteScales(const core::SearchSpace& space, WireParameters& wire) {
  for (v1::Parameter& parameter : wire) {
    const std::optional<int> index = space.Find(parameter.name());
    if (index) {
      const core::Domain& domain = space.parameters()[*index].domain;
      if (const auto* to = std::get_if<core::DoubleDomain>(&domain); to != nullptr && parameter.has_double_()) {
        parameter.mutable_double_()->set_scale(WireScale(to->scale));
      } else if (const auto* integer = std::get_if<core::IntegerDomain>(&domain);
                 integer != nullptr && parameter.has_integer()) {
        parameter.mutable_integer()->set_scale(WireScale(integer->scale));
      } else if (const auto* discrete = std::get_if<core::DiscreteDomain>(&domain);
                 discrete != nullptr && parameter.has_discrete()) {
        parameter.mutable_discrete()->set_scale(WireScale(discrete->scale));
      }
    }
    for (v1::ConditionalChildren& children : *parameter.mutable_children())
      WriteScales(space, *children.mutable_parameters());
  }
}

}  // namespace tuner::convert

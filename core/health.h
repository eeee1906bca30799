// Health rules: what one running trial's metrics say by themselves, without a look at other trials. Pure functions; any
// thread.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/time/time.h"
#include "core/curve.h"
#include "core/rules.h"

namespace tuner::core {

struct HealthSight {
  std::string metric;  // that was just measured
  double value = 0;
  int64_t step = 0;
  const Curves* curves = nullptr;  // of the trial, by metric
  // Time that earlier attempts took, and of the present one so far; the last step before it.
  absl::Duration earlier;
  absl::Duration elapsed;
  int64_t base_step = 0;
};

// What is wrong, in a sentence with figures; nullopt: nothing that this rule looks at.
std::optional<std::string> Ailment(const HealthRule& rule, const HealthSight& sight);

// Metrics whose curves the rules look at.
std::set<std::string> WatchedMetrics(const std::vector<HealthRule>& rules);

}  // namespace tuner::core

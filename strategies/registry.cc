#include <algorithm>
#include <array>

#include "strategies/bayesian_strategy.h"
#include "strategies/grid_strategy.h"
#include "strategies/hyperband_strategy.h"
#include "strategies/random_strategy.h"
#include "strategies/strategy.h"

namespace tuner::strategies {

absl::Span<const StrategyKind> StrategyKinds() {
  static const std::array<StrategyKind, 4> kKinds = {BayesianStrategyKind(), RandomStrategyKind(), GridStrategyKind(),
                                                     HyperbandStrategyKind()};
  return kKinds;
}

const StrategyKind* FindStrategyKind(std::string_view name) {
  const absl::Span<const StrategyKind> kinds = StrategyKinds();
  const auto found =
      std::find_if(kinds.begin(), kinds.end(), [&](const StrategyKind& kind) { return kind.name == name; });
  return found == kinds.end() ? nullptr : &*found;
}

}  // namespace tuner::strategies

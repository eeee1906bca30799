#include "strategies/hyperband_brackets.h"

#include <algorithm>
#include <cmath>

namespace tuner::strategies {

int CountBrackets(int64_t min_resource, int64_t max_resource, int eta) {
  int count = 1;
  for (int64_t most = max_resource / eta; most >= min_resource; most /= eta) ++count;
  return count;
}

std::vector<Bracket> MakeBrackets(int64_t min_resource, int64_t max_resource, int eta, int count) {
  const int s_max = CountBrackets(min_resource, max_resource, eta) - 1;
  std::vector<Bracket> brackets;
  for (int s = s_max; s >= 0 && static_cast<int>(brackets.size()) < count; --s) {
    Bracket bracket{.s = s, .rungs = {}};
    int64_t power = 1;  // eta^s
    for (int i = 0; i < s; ++i) power *= eta;
    int64_t size = ((s_max + 1) * power + s) / (s + 1);
    for (int i = 0; i <= s; ++i) {
      const double resource = static_cast<double>(max_resource) / static_cast<double>(power);
      const int64_t steps = std::max<int64_t>(1, max_resource / power);
      if (bracket.rungs.empty() || bracket.rungs.back().steps < steps) {
        bracket.rungs.push_back({.size = size, .resource = resource, .steps = steps});
      }
      size /= eta;
      power /= eta;
    }
    brackets.push_back(std::move(bracket));
  }
  return brackets;
}

}  // namespace tuner::strategies

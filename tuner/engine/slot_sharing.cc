#include "tuner/engine/slot_sharing.h"

#include <algorithm>
#include <tuple>

namespace tuner::engine {

std::vector<size_t> ShareOut(int total, std::vector<SlotClaim> claims) {
  int free = total;
  for (const SlotClaim& claim : claims) free -= claim.held + claim.granted;
  std::vector<size_t> winners;
  while (free > 0) {
    auto next = claims.end();
    const auto place = [](const SlotClaim& claim) {
      return std::tuple(claim.held + claim.granted, claim.last_given, claim.create_time);
    };
    for (auto it = claims.begin(); it != claims.end(); ++it) {
      if (it->granted >= it->wanted) continue;
      if (next == claims.end() || place(*it) < place(*next)) next = it;
    }
    if (next == claims.end()) break;
    ++next->granted;
    winners.push_back(static_cast<size_t>(next - claims.begin()));
    --free;
  }
  return winners;
}

}  // namespace tuner::engine

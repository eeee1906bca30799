#include "tuner/engine/slot_sharing.h"

#include <cstddef>
#include <tuple>

namespace tuner::engine {

std::vector<int> ShareOut(int total, const std::vector<SlotClaim>& claims) {
  std::vector<int> granted(claims.size(), 0);
  int free = total;
  for (const SlotClaim& claim : claims) free -= claim.held;
  const auto place = [&](size_t i) {
    return std::tuple(claims[i].held + granted[i], claims[i].last_start, claims[i].create_time);
  };
  for (; free > 0; --free) {
    size_t next = claims.size();
    for (size_t i = 0; i < claims.size(); ++i) {
      if (granted[i] >= claims[i].wanted) continue;
      if (next == claims.size() || place(i) < place(next)) next = i;
    }
    if (next == claims.size()) break;
    ++granted[next];
  }
  return granted;
}

}  // namespace tuner::engine

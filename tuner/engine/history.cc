#include "tuner/engine/history.h"

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <utility>

namespace tuner::engine {

strategies::RungReached AtRung(const core::Trial& trial, int32_t rung) {
  core::Trial then = trial;
  then.rungs.resize(static_cast<size_t>(rung) + 1);
  then.resource = then.rungs.back().resource;
  then.state = core::TrialState::kPaused;
  then.objective.reset();
  then.final_metrics.clear();
  return {std::move(then)};
}

std::vector<strategies::Observation> HistoryOf(absl::Span<const core::Trial> trials, const std::string& definition) {
  // A result of a rung comes after `finished_before` finished trials; the n-th finished one after n - 1 of them.
  struct Place {
    int64_t finished = 0;
    int64_t rung_seq = 0;  // 0: it finished
    const core::Trial* trial = nullptr;
    int32_t rung = 0;
  };
  std::vector<Place> places;
  for (const core::Trial& trial : trials) {
    if (trial.definition != definition) continue;
    for (size_t i = 0; i < trial.rungs.size(); ++i) {
      places.push_back({trial.rungs[i].finished_before, trial.rungs[i].seq, &trial, static_cast<int32_t>(i)});
    }
    if (trial.finish_seq > 0) places.push_back({trial.finish_seq, 0, &trial, 0});
  }
  std::ranges::sort(places, {}, [](const Place& place) { return std::tuple(place.finished, place.rung_seq); });
  std::vector<strategies::Observation> history;
  history.reserve(places.size());
  for (const Place& place : places) {
    if (place.rung_seq > 0) {
      history.emplace_back(AtRung(*place.trial, place.rung));
    } else {
      history.emplace_back(strategies::Finished{*place.trial});
    }
  }
  return history;
}

}  // namespace tuner::engine

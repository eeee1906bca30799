// The Pareto front of several objectives: two against each other, or three in pairs.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tuner/cli/plot_parts.h"
#include "tuner/cli/plot_script.h"
#include "tuner/cli/text.h"

namespace tuner::cli {
namespace {

struct Range {
  double low, high;
};

Range RangeOf(const PlotAxis& axis) {
  if (axis.scale == PlotAxis::Scale::kLog) {
    const double air = std::pow(std::max(axis.max / axis.min, 1.1), 0.06);
    return {axis.min / air, axis.max * air};
  }
  const double span = axis.max > axis.min ? axis.max - axis.min : std::max(std::abs(axis.min) * 0.2, 1e-6);
  return {axis.min - span * 0.06, axis.max + span * 0.06};
}

std::string AxisSettings(char axis, const PlotObjective& objective) {
  const Range range = RangeOf(objective.axis);
  const std::string label =
      absl::StrCat(objective.maximize ? "maximize " : "minimize ", Shortened(Printable(objective.axis.name), 40));
  return absl::StrCat("set ", std::string(1, axis), "label ", Quoted(label), "\nset ", std::string(1, axis), "range [",
                      Cell(range.low), ":", Cell(range.high), "]\n",
                      objective.axis.scale == PlotAxis::Scale::kLog ? "set" : "unset", " logscale ",
                      std::string(1, axis), "\n");
}

// The edge of what the front dominates, from the worst of one objective to the worst of the other.
std::string Edge(const PlotData& data, const std::vector<const PlotTrial*>& front) {
  const auto worst = [&](size_t i) {
    const Range range = RangeOf(data.objectives[i].axis);
    return data.objectives[i].maximize ? range.low : range.high;
  };
  std::string rows = absl::StrCat(Cell(front.front()->outcomes[0]), " ", Cell(worst(1)), "\n");
  for (size_t i = 0; i < front.size(); ++i) {
    const double next = i + 1 < front.size() ? front[i + 1]->outcomes[0] : worst(0);
    absl::StrAppend(&rows, Cell(front[i]->outcomes[0]), " ", Cell(front[i]->outcomes[1]), "\n", Cell(next), " ",
                    Cell(front[i]->outcomes[1]), "\n");
  }
  return rows;
}

// Numbers of members whose labels do not cover each other's.
std::string Labels(const PlotData& data, const std::vector<const PlotTrial*>& front, size_t x, size_t y) {
  constexpr double kWidth = 0.035, kHeight = 0.04;  // of a label, as shares of the panel
  std::vector<std::pair<double, double>> taken;
  std::string rows;
  for (const PlotTrial* trial : front) {
    const double px = data.objectives[x].axis.Position(trial->outcomes[x]);
    const double py = data.objectives[y].axis.Position(trial->outcomes[y]);
    const bool covers = std::any_of(taken.begin(), taken.end(), [&](const auto& other) {
      return std::abs(px - other.first) < kWidth && std::abs(py - other.second) < kHeight;
    });
    if (covers) continue;
    taken.emplace_back(px, py);
    absl::StrAppend(&rows, Cell(trial->outcomes[x]), " ", Cell(trial->outcomes[y]), " ", trial->number, "\n");
  }
  return rows;
}

std::string Panel(const PlotData& data, const std::vector<const PlotTrial*>& front, size_t x, size_t y, size_t index) {
  const std::set<const PlotTrial*> members(front.begin(), front.end());
  std::string others, broken, best;
  for (const PlotTrial& trial : data.trials) {
    if (trial.outcomes.empty()) continue;
    const bool member = members.contains(&trial);
    absl::StrAppend(member                    ? &best
                    : trial.keeps_constraints ? &others
                                              : &broken,
                    Cell(trial.outcomes[x]), " ", Cell(trial.outcomes[y]), " ", trial.number, "\n");
  }
  const double dot = data.trials.size() > 400 ? 0.45 : data.trials.size() > 100 ? 0.6 : 0.85;
  const std::string n = absl::StrCat(index);
  std::string script = absl::StrCat(AxisSettings('x', data.objectives[x]), AxisSettings('y', data.objectives[y]),
                                    DataBlock("others" + n, others), DataBlock("broken" + n, broken),
                                    DataBlock("front" + n, best), DataBlock("names" + n, Labels(data, front, x, y)));
  // Of three objectives, two do not say who dominates whom.
  const bool staircase = data.objectives.size() == 2 && !front.empty();
  if (staircase) absl::StrAppend(&script, DataBlock("edge" + n, Edge(data, front)));
  absl::StrAppend(&script, "plot ");
  if (staircase) absl::StrAppend(&script, "$edge", n, " using 1:2 with lines lw 1.6 lc rgb '#70E69F00' notitle, ");
  absl::StrAppend(&script, "$others", n, " using 1:2 with points pt 7 ps ", dot,
                  " lc rgb '#500072B2' title 'completed'");
  if (!broken.empty()) {
    absl::StrAppend(&script, ", $broken", n, " using 1:2 with points pt 6 ps ", dot, " lw 1.4 lc rgb '", kRed,
                    "' title 'breaks a constraint'");
  }
  if (!best.empty()) {
    absl::StrAppend(&script, ", $front", n, " using 1:2 with points pt 7 ps ", std::max(0.9, dot * 1.4), " lc rgb '",
                    kOrange, "' title 'Pareto front'");
    // On the side that is better in both, where the fewest other points are.
    const bool left = !data.objectives[x].maximize, below = !data.objectives[y].maximize;
    absl::StrAppend(&script, ", $names", n, " using 1:2:3 with labels offset ", left ? -0.7 : 0.7, ",",
                    below ? -0.6 : 0.6, left ? " right" : " left", " font ',9' tc rgb '", kInk, "' notitle");
  }
  return script + "\nunset label 999\nunset key\n";
}

}  // namespace

std::string FrontScript(const PlotData& data, PlotSize size) {
  const std::string what = "Pareto front";
  if (data.objectives.empty())
    return EmptyPicture(data, what, "the job has one objective, so its best trial is the front", size);
  std::map<int, const PlotTrial*> completed;
  for (const PlotTrial& trial : data.trials) {
    if (!trial.outcomes.empty()) completed[trial.number] = &trial;
  }
  if (completed.empty()) return EmptyPicture(data, what, "no trial has values of all objectives", size);
  std::vector<const PlotTrial*> front;
  for (const int number : data.front) {
    if (const auto found = completed.find(number); found != completed.end()) front.push_back(found->second);
  }
  const std::string title =
      Title(absl::StrCat(data.job, ": ", what, " of ", front.size(), front.size() == 1 ? " trial" : " trials"), size);
  if (data.objectives.size() == 2) return title + Panel(data, front, 0, 1, 0);
  return absl::StrCat(Multiplot(3, 3, 36, size), title, Panel(data, front, 0, 1, 0), Panel(data, front, 0, 2, 1),
                      Panel(data, front, 1, 2, 2), "unset multiplot\n");
}

}  // namespace tuner::cli

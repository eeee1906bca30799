// Pictures of several panels: slices and metric curves.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tuner/cli/plot_parts.h"
#include "tuner/cli/plot_script.h"
#include "tuner/cli/text.h"

namespace tuner::cli {
namespace {

constexpr size_t kMostCurveTrials = 400;  // more lines than that are a carpet; the best of them are drawn

// With room for the colour bar.
std::string PanelsWithBar(size_t panels, PlotSize size) {
  return Multiplot(panels, panels <= 1 ? 1 : panels <= 4 ? 2 : 3, 118, size);
}

bool HasValues(const PlotData& data) {
  return std::any_of(data.trials.begin(), data.trials.end(),
                     [](const PlotTrial& t) { return t.objective.has_value(); });
}

// One colour bar for all panels, at the right edge, drawn with the first.
std::string SharedBar(PlotSize size) {
  return absl::StrCat("set colorbox user origin screen ", 1 - 92.0 / size.width, ",0.2 size screen ", 14.0 / size.width,
                      ",0.6\n");
}

std::string AxisSettings(const PlotAxis& axis) {
  std::string text =
      absl::StrCat("set xlabel ", Quoted(Shortened(Printable(axis.name), 40)), "\nunset logscale x\nset xtics auto\n");
  if (!axis.categories.empty()) {
    std::string tics;
    for (const PlotAxis::Tick& tick : axis.Ticks(10))
      absl::StrAppend(&tics, tics.empty() ? "" : ", ", QuotedTic(tick.label), " ", tick.value);
    return absl::StrCat(text, "set xtics (", tics, ")", axis.categories.size() > 5 ? " rotate by 35 right" : "",
                        "\nset xrange [-0.5:", axis.categories.size(), "-0.5]\n");
  }
  text += "set xtics norotate\n";
  if (axis.scale == PlotAxis::Scale::kLog) {
    const double margin = std::pow(std::max(axis.max / axis.min, 1.1), 0.04);
    return absl::StrCat(text, "set logscale x\nset xrange [", Cell(axis.min / margin), ":", Cell(axis.max * margin),
                        "]\n");
  }
  const double margin = axis.max > axis.min ? (axis.max - axis.min) * 0.04 : std::max(std::abs(axis.min) * 0.05, 0.5);
  return absl::StrCat(text, "set xrange [", Cell(axis.min - margin), ":", Cell(axis.max + margin), "]\n");
}

// Small shifts, fixed by the trial's number, so that equal categories do not hide each other.
double Shift(const PlotAxis& axis, int number) {
  return axis.categories.empty() ? 0 : ((number * 7919) % 101 - 50) / 50.0 * 0.16;
}

std::string SlicePanel(const PlotData& data, size_t index, double point_size, int last_trial) {
  const PlotAxis& axis = data.axes[index];
  std::string values, failed, best;
  for (const PlotTrial& trial : data.trials) {
    if (!trial.values[index]) continue;
    const std::string x = Cell(*trial.values[index] + Shift(axis, trial.number));
    if (trial.failed()) absl::StrAppend(&failed, x, "\n");
    if (!trial.objective) continue;
    absl::StrAppend(trial.highlighted ? &best : &values, x, " ", Cell(*trial.objective), " ", trial.number, "\n");
  }
  const auto block = [&](const char* name, const std::string& rows) {
    return absl::StrCat("$", name, index, " << EOD\n", rows.empty() ? "NaN NaN NaN\n" : rows, "EOD\n");
  };
  std::string script = absl::StrCat(AxisSettings(axis), block("values", values), block("failed", failed),
                                    block("best", best), "set cbrange [1:", std::max(2, last_trial), "]\n");
  script += "plot ";
  if (!failed.empty()) {
    absl::StrAppend(&script, "$failed", index, " using 1:(0.035) axes x1y2 with points pt 2 ps ", point_size,
                    " lw 1.4 lc rgb '", kRed, "' title 'failed', ");
  }
  absl::StrAppend(&script, "$values", index, " using 1:2:3 with points pt 7 ps ", point_size, " palette notitle, $best",
                  index, " using 1:2 with points pt 7 ps ", std::max(1.0, point_size * 1.8), " lc rgb '", kOrange,
                  "' title '", data.objectives.empty() ? "best" : "Pareto front", "'");
  return absl::StrCat(script, "\nunset label 999\nunset colorbox\nunset key\n");
}

// The lines of one metric as datablocks, worst trials first, and what they span.
struct CurveLines {
  std::string others, best, stopped, promoted;
  double low = INFINITY, high = -INFINITY, first = INFINITY, last = -INFINITY;
};

CurveLines LinesOf(const PlotData& data, const std::vector<PlotCurve>& curves,
                   const std::vector<std::pair<double, int>>& order) {
  CurveLines lines;
  std::map<int, const PlotCurve*> by_trial;
  for (const PlotCurve& curve : curves) by_trial[curve.trial] = &curve;
  std::set<int> highlighted;
  for (const PlotTrial& trial : data.trials) {
    if (trial.highlighted) highlighted.insert(trial.number);
  }
  for (const auto& [goodness, number] : order) {
    const auto found = by_trial.find(number);
    if (found == by_trial.end()) continue;
    const unsigned colour = goodness < 0 ? 0x60D55E00 : ObjectiveColour(goodness, order.size() > 60 ? 0x80 : 0x30);
    std::string& rows = highlighted.contains(number) ? lines.best : lines.others;
    for (const auto& [step, value] : found->second->points) {
      absl::StrAppend(&rows, Cell(step), " ", Cell(value), " ", colour, "\n");
      lines.low = std::min(lines.low, value);
      lines.high = std::max(lines.high, value);
      lines.first = std::min(lines.first, step);
      lines.last = std::max(lines.last, step);
    }
    rows += "\n";
    for (const auto& [step, value] : found->second->promotions) {
      absl::StrAppend(&lines.promoted, Cell(step), " ", Cell(value), "\n");
    }
    if (found->second->stopped_early) {
      const auto& [step, value] = found->second->points.back();
      absl::StrAppend(&lines.stopped, Cell(step), " ", Cell(value), "\n");
    }
  }
  return lines;
}

// "[low:high]" with some air; also for one value or none.
std::string RangeOf(double low, double high, bool log) {
  if (!std::isfinite(low)) return "[0:1]";
  if (log) return absl::StrCat("[", Cell(low / 1.3), ":", Cell(high * 1.3), "]");
  const double air = high > low ? (high - low) * 0.05 : std::max(std::abs(low) * 0.1, 1.0);
  return absl::StrCat("[", Cell(low - air), ":", Cell(high + air), "]");
}

std::string CurvesPanel(const PlotData& data, const std::string& metric, const std::vector<PlotCurve>& curves,
                        size_t index, const std::vector<std::pair<double, int>>& order) {
  const CurveLines lines = LinesOf(data, curves, order);
  const bool log = WantsLog(lines.low, lines.high);
  const bool few_steps = lines.last - lines.first < 30;  // points show where the lines' ends are
  const auto block = [index](const char* name, const std::string& rows) {
    return absl::StrCat("$", name, index, " << EOD\n", rows.empty() ? "NaN NaN 0\n" : rows, "EOD\n");
  };
  const bool saved = data.steps_unstopped > 0 && metric == data.metric;
  const std::string steps =
      saved ? absl::StrCat("step (", data.steps_run, " run instead of ", data.steps_unstopped, ")") : "step";
  std::string script = absl::StrCat(
      "set key at graph 0.98,0.98 right top Right noreverse vertical samplen 1.2 font ',11'\nset "
      "xlabel ",
      Quoted(steps), "\nset ylabel ", Quoted(Shortened(Printable(metric), 40)), "\nset xrange ",
      RangeOf(lines.first, lines.last, false), "\n", log ? "set logscale y\n" : "unset logscale y\n", "set yrange ",
      RangeOf(lines.low, lines.high, log), "\n", block("others", lines.others), block("best", lines.best),
      block("stopped", lines.stopped), block("promoted", lines.promoted));
  absl::StrAppend(&script, "plot $others", index, " using 1:2:3 with ", few_steps ? "linespoints pt 7 ps 0.3" : "lines",
                  " lw 1.2 lc rgb variable notitle");
  if (!lines.best.empty()) {
    absl::StrAppend(&script, ", $best", index, " using 1:2 with ", few_steps ? "linespoints pt 7 ps 0.7" : "lines",
                    " lw 2.8 lc rgb '", kOrange, "' title '", data.HighlightTitle(), "'");
  }
  if (!lines.promoted.empty()) {
    absl::StrAppend(&script, ", $promoted", index,
                    " using 1:2 with points pt 9 ps 0.9 lc rgb '#2E8B57' title 'promoted'");
  }
  if (!lines.stopped.empty()) {
    absl::StrAppend(&script, ", $stopped", index, " using 1:2 with points pt 2 ps 0.7 lw 1.3 lc rgb '", kRed,
                    "' title 'stopped early'");
  }
  if (HasValues(data)) absl::StrAppend(&script, ", ", kShowColourBar);
  return absl::StrCat(script, "\nunset label 999\nunset colorbox\nunset key\n");
}

// Trials from the worst to the best with their goodness, -1 for those without a value.
std::vector<std::pair<double, int>> DrawingOrder(const PlotData& data) {
  std::vector<std::pair<double, int>> order;
  for (const PlotTrial& trial : data.trials)
    order.emplace_back(trial.objective ? data.Goodness(*trial.objective) : -1, trial.number);
  std::stable_sort(order.begin(), order.end());
  if (order.size() > kMostCurveTrials) order.erase(order.begin(), order.end() - kMostCurveTrials);
  return order;
}

}  // namespace

std::string SliceScript(const PlotData& data, PlotSize size) {
  const std::string what = "objective by parameter";
  if (data.axes.empty() || data.trials.empty())
    return EmptyPicture(data, what, data.axes.empty() ? "the job has no parameters" : "no trial yet", size);
  std::string script = PanelsWithBar(data.axes.size(), size) + Title(data, what, size);
  absl::StrAppend(&script, SharedBar(size),
                  "set palette defined (0 '#C7D9E8', 0.5 '#4A90C2', 1 '#08306B')\nset cblabel 'trial' offset 1,0 tc "
                  "rgb '#2F3B47'\nset cbtics tc rgb '#2F3B47' font ',10'\nset y2range "
                  "[0:1]\nset ylabel ",
                  Quoted(Shortened(Printable(data.metric), 40)), "\n");
  script += HasValues(data) ? ObjectiveRange(data) : "set yrange [0:1]\nunset ytics\n";
  if (data.trials.back().number <= 10) script += "set cbtics 1\n";
  const double dot = data.trials.size() > 300 ? 0.4 : 0.65;
  for (size_t i = 0; i < data.axes.size(); ++i) script += SlicePanel(data, i, dot, data.trials.back().number);
  return script + "unset multiplot\n";
}

std::string CurvesScript(const PlotData& data, PlotSize size) {
  const std::string what = "metrics by step";
  if (data.curves.empty()) return EmptyPicture(data, what, "no trial has told a value yet", size);
  std::string script = PanelsWithBar(data.curves.size(), size) + Title(data, what, size);
  if (HasValues(data)) script += ObjectivePalette(data) + SharedBar(size);
  const auto order = DrawingOrder(data);
  size_t index = 0;
  // The objective first, then the others by name.
  const auto objective = data.curves.find(data.metric);
  if (objective != data.curves.end()) script += CurvesPanel(data, objective->first, objective->second, index++, order);
  for (const auto& [metric, curves] : data.curves) {
    if (metric != data.metric) script += CurvesPanel(data, metric, curves, index++, order);
  }
  return script + "unset multiplot\n";
}

}  // namespace tuner::cli

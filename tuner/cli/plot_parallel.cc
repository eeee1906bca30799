#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tuner/cli/plot_parts.h"
#include "tuner/cli/plot_script.h"
#include "tuner/cli/text.h"

namespace tuner::cli {
namespace {

// A vertical axis with its labels at x.
std::string Axis(const PlotAxis& axis, size_t x) {
  std::string text =
      absl::StrCat("set arrow from first ", x, ",0 to first ", x, ",1 nohead lc rgb '", kGrey, "' lw 1.2 front\n");
  absl::StrAppend(&text, "set label ", Quoted(Shortened(Printable(axis.name), 16)), " at first ", x,
                  ",-0.08 center font ',12' tc rgb '", kInk, "'\n");
  if (axis.scale != PlotAxis::Scale::kLinear) {
    absl::StrAppend(&text, "set label '(log)' at first ", x, ",-0.125 center font ',9' tc rgb '", kGrey, "'\n");
  }
  for (const PlotAxis::Tick& tick : axis.Ticks(5)) {
    const double y = axis.Position(tick.value);
    absl::StrAppend(&text, "set arrow from first ", x - 0.02, ",", y, " to first ", x, ",", y, " nohead lc rgb '",
                    kGrey, "' lw 1.2 front\n");
    absl::StrAppend(&text, "set label ", Quoted(tick.label), " at first ", x - 0.035, ",", y,
                    " right font ',10' tc rgb '", kInk, "' front boxed\n");
  }
  return text;
}

// One trial's line over the axes; a parameter that it does not have interrupts it.
std::string Line(const PlotData& data, const PlotTrial& trial, unsigned colour) {
  std::string rows;
  for (size_t i = 0; i < data.axes.size(); ++i) {
    if (trial.values[i]) {
      absl::StrAppend(&rows, i, " ", data.axes[i].Position(*trial.values[i]), " ", colour, "\n");
    } else {
      rows += "\n";
    }
  }
  absl::StrAppend(&rows, data.axes.size(), " ", data.objective.Position(*trial.objective), " ", colour, "\n\n");
  return rows;
}

}  // namespace

std::string ParallelScript(const PlotData& data, PlotSize size) {
  const std::string what = "parameters of each trial";
  std::vector<const PlotTrial*> shown;
  for (const PlotTrial& trial : data.trials) {
    if (trial.objective) shown.push_back(&trial);
  }
  if (shown.empty() || data.axes.empty())
    return EmptyPicture(data, what, data.axes.empty() ? "the job has no parameters" : "no trial has a value", size);
  // The best on top of the others.
  std::stable_sort(shown.begin(), shown.end(), [&](const PlotTrial* a, const PlotTrial* b) {
    return data.Goodness(*a->objective) < data.Goodness(*b->objective);
  });
  const unsigned alpha = shown.size() > 300 ? 0xA0 : shown.size() > 60 ? 0x70 : 0x30;
  std::string rows, best;
  for (const PlotTrial* trial : shown) {
    if (trial->highlighted) {
      best += Line(data, *trial, ObjectiveColour(1, 0));
    } else {
      rows += Line(data, *trial, ObjectiveColour(data.Goodness(*trial->objective), alpha));
    }
  }
  std::string script =
      absl::StrCat(Title(data, what, size), ObjectivePalette(data), "unset border\nunset tics\nset cbtics tc rgb '",
                   kInk, "' font ',10'\nunset grid\nset clip two\n",
                   "set style textbox opaque noborder fillcolor rgb '#40FFFFFF' margins 0.6,0.4\n",
                   "set xrange [-0.45:", data.axes.size(), ".1]\nset yrange [-0.16:1.03]\n");
  for (size_t i = 0; i < data.axes.size(); ++i) script += Axis(data.axes[i], i);
  script += Axis(data.objective, data.axes.size());
  absl::StrAppend(&script, "$trials << EOD\n", rows.empty() ? "NaN NaN 0\n" : rows, "EOD\n$best << EOD\n", best,
                  "EOD\n");
  absl::StrAppend(
      &script,
      "plot $trials using 1:2:3 with lines lw 1.3 lc rgb variable notitle, $best using 1:2 with lines lw 3.2 lc rgb '",
      kOrange, "' title '", data.HighlightTitle(), "', ", kShowColourBar, "\n");
  return script;
}

}  // namespace tuner::cli

// Pictures of a job's model: importance, contour, leave-one-out.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "tuner/cli/plot_parts.h"
#include "tuner/cli/plot_script.h"
#include "tuner/cli/text.h"

namespace tuner::cli {
namespace {

constexpr const char* kNoModel = "there is no model: it needs the bayesian strategy and some results";
constexpr size_t kMostBars = 20;

// ---- contour

// Labels at coordinates of [0, 1].
std::string Tics(char which, const GridAxis& grid) {
  std::vector<std::string> labels;
  const auto add = [&](const std::string& label, double at) {
    labels.push_back(absl::StrCat(QuotedTic(label), " ", Cell(at)));
  };
  if (grid.listed.empty()) {
    for (const PlotAxis::Tick& tick : grid.axis.Ticks(4)) add(tick.label, grid.axis.Position(tick.value));
  } else {
    const size_t stride = (grid.listed.size() + 7) / 8;
    for (size_t i = 0; i < grid.listed.size(); i += stride) {
      add(grid.axis.categories.empty() ? Number(grid.listed[i], 4) : Shortened(Printable(grid.axis.categories[i]), 14),
          grid.Coordinate(i));
    }
  }
  return absl::StrCat("set ", std::string(1, which), "tics (", absl::StrJoin(labels, ", "), ")\n");
}

double HalfCell(const GridAxis& axis) { return 0.5 / static_cast<double>(std::max<size_t>(1, axis.values.size() - 1)); }

std::string GridRows(const PlotModel::Grid& grid) {
  std::string rows;
  const size_t columns = grid.x.values.size();
  for (size_t i = 0; i < grid.means.size(); ++i) {
    absl::StrAppend(&rows, Cell(grid.x.Coordinate(i % columns)), " ", Cell(grid.y.Coordinate(i / columns)), " ",
                    Cell(grid.means[i]), " ", Cell(grid.deviations[i]), "\n", (i + 1) % columns == 0 ? "\n" : "");
  }
  return rows;
}

// Points of the trials, "around" apart.
std::string TrialRows(const PlotData& data, bool around) {
  const PlotModel::Grid& grid = *data.model->grid;
  const auto index_of = [&](const std::string& name) {
    return static_cast<size_t>(
        std::find_if(data.axes.begin(), data.axes.end(), [&](const PlotAxis& axis) { return axis.name == name; }) -
        data.axes.begin());
  };
  const size_t x = index_of(grid.x.axis.name), y = index_of(grid.y.axis.name);
  std::string rows;
  for (const PlotTrial& trial : data.trials) {
    if ((trial.number == grid.around) != around || !trial.objective || !trial.values[x] || !trial.values[y]) continue;
    absl::StrAppend(&rows, Cell(grid.x.CoordinateOf(*trial.values[x])), " ",
                    Cell(grid.y.CoordinateOf(*trial.values[y])), "\n");
  }
  return rows;
}

// "low:high", never empty.
std::string Span(const std::vector<double>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const double air = *high > *low ? 0 : std::max(std::abs(*low) * 0.05, 1e-9);
  return absl::StrCat("[", Cell(*low - air), ":", Cell(*high + air), "]");
}

std::string ContourLines(const char* name, int column, const std::vector<double>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  if (!(*high > *low)) return DataBlock(name, "");  // a plane has none
  return absl::StrCat("set cntrparam levels auto 9\nset table $", name, "\nsplot $grid using 1:2:", column,
                      " notitle\nunset table\n");
}

std::string ContourPanel(const PlotData& data, int panel, const std::string& title, const std::string& palette,
                         const std::vector<double>& values) {
  const PlotModel::Grid& grid = *data.model->grid;
  const double left = panel == 0 ? 0.075 : 0.575;
  const int column = panel == 0 ? 3 : 4;
  const char* lines = panel == 0 ? "lines_mean" : "lines_deviation";
  const double hx = HalfCell(grid.x), hy = HalfCell(grid.y);
  return absl::StrCat("set lmargin at screen ", left, "\nset rmargin at screen ", left + 0.325,
                      "\nset tmargin at screen 0.84\nset bmargin at screen 0.14\nset label 1 ", Quoted(title),
                      " at graph 0,1.05 left font ',12' tc rgb '", kInk, "' front\n", palette, "set cbrange ",
                      Span(values), "\nset xrange [", Cell(-hx), ":", Cell(1 + hx), "]\nset yrange [", Cell(-hy), ":",
                      Cell(1 + hy), "]\nplot $grid using 1:2:", column, " with image notitle, $", lines,
                      " using 1:2 with lines lw 1 lc rgb '#70FFFFFF' notitle, ",
                      "$trials using 1:2 with points pt 7 ps 0.55 lc rgb 'white' notitle, ",
                      "$trials using 1:2 with points pt 7 ps 0.35 lc rgb '", kInk, "' notitle, ",
                      "$around using 1:2 with points pt 7 ps 1.3 lc rgb 'white' notitle, ",
                      "$around using 1:2 with points pt 7 ps 0.95 lc rgb '", kOrange, "' notitle\nunset label 999\n");
}

// ---- leave-one-out

bool IsOutside(const PlotModel::LeftOut& one) { return std::abs(one.observed - one.mean) > 2 * one.deviation; }

// Numbers of the trials outside whose labels do not cover each other's.
std::string Names(const std::vector<PlotModel::LeftOut>& all, double low, double high) {
  constexpr double kWidth = 0.05, kHeight = 0.03;  // of a label, as shares of the picture
  const double range = high > low ? high - low : 1;
  std::vector<const PlotModel::LeftOut*> named;
  std::string rows;
  for (const PlotModel::LeftOut& one : all) {
    if (!IsOutside(one)) continue;
    const bool covers = std::any_of(named.begin(), named.end(), [&](const PlotModel::LeftOut* other) {
      return std::abs(one.observed - other->observed) < kWidth * range &&
             std::abs(one.mean - other->mean) < kHeight * range;
    });
    if (covers) continue;
    named.push_back(&one);
    absl::StrAppend(&rows, Cell(one.observed), " ", Cell(one.mean), " ", one.trial, "\n");
  }
  return rows;
}

// ---- importance

std::string Bars(const std::vector<PlotModel::Importance>& shown, double PlotModel::Importance::*share, double offset) {
  std::string rows;
  for (size_t i = 0; i < shown.size(); ++i) {
    const double y = static_cast<double>(shown.size() - 1 - i) + offset;
    const double value = shown[i].*share;
    absl::StrAppend(&rows, Cell(value), " ", Cell(y), " 0 ", Cell(value), " ", Cell(y - 0.17), " ", Cell(y + 0.17), " ",
                    absl::StrFormat("%.0f%%", 100 * value), "\n");
  }
  return rows;
}

}  // namespace

std::string ImportanceScript(const PlotData& data, PlotSize size) {
  const std::string what = "importance of each parameter";
  if (!data.model || data.model->importance.empty()) return EmptyPicture(data, what, kNoModel, size);
  std::vector<PlotModel::Importance> shown = data.model->importance;
  if (shown.size() > kMostBars) shown.resize(kMostBars);
  std::vector<std::string> names;
  double most = 0.05;
  size_t width = 0;
  for (size_t i = 0; i < shown.size(); ++i) {
    const std::string name = Shortened(Printable(shown[i].name), 30);
    width = std::max(width, DisplayWidth(name));
    names.push_back(absl::StrCat(QuotedTic(name), " ", shown.size() - 1 - i));
    most = std::max({most, shown[i].fanova, shown[i].length_scale});
  }
  return absl::StrCat(
      Title(data, what, size), "set lmargin at screen ",
      std::min(0.5, (40.0 + 8.2 * static_cast<double>(width)) / size.width), "\nset rmargin at screen ",
      1 - 40.0 / size.width, "\nunset grid\nset grid x back lt 1 lc rgb '#DDE2E7' lw 1\nset ytics (",
      absl::StrJoin(names, ", "),
      ") scale 0\nset xtics format '%g %%'\nset xlabel 'share of the variance that the model sees'\n",
      "set xrange [0:", Cell(most * 112), "]\nset yrange [-0.6:", Cell(static_cast<double>(shown.size()) - 0.4),
      "]\nset style fill solid noborder\n", DataBlock("fanova", Bars(shown, &PlotModel::Importance::fanova, 0.19)),
      DataBlock("lengths", Bars(shown, &PlotModel::Importance::length_scale, -0.19)),
      "plot $fanova using (100*$1):2:(0):(100*$4):5:6 with boxxyerror lc rgb '", kBlue, "' title 'functional ANOVA', ",
      "$lengths using (100*$1):2:(0):(100*$4):5:6 with boxxyerror lc rgb '", kGrey, "' title 'length-scales', ",
      "$fanova using (100*$1):2:7 with labels left offset 0.5,0 font ',10' tc rgb '", kInk, "' notitle, ",
      "$lengths using (100*$1):2:7 with labels left offset 0.5,0 font ',10' tc rgb '", kGrey, "' notitle\n");
}

std::string ContourScript(const PlotData& data, PlotSize size) {
  const std::string what = "what the model expects";
  if (!data.model || !data.model->grid) return EmptyPicture(data, what, kNoModel, size);
  const PlotModel::Grid& grid = *data.model->grid;
  const std::string title = absl::StrCat(data.job, ": what the model expects of ", data.metric,
                                         data.axes.size() > 2 ? absl::StrCat(", all else as in trial ", grid.around)
                                                              : absl::StrCat(", trial ", grid.around, " in orange"));
  const auto [low, high] = std::minmax_element(grid.means.begin(), grid.means.end());
  const bool log = WantsLog(*low, *high);
  const std::string deviation_palette =
      "set palette defined (0 '#F7FBFF', 0.5 '#9E9AC8', 1 '#3F007D')\nunset logscale cb\nunset cblabel\n";
  return absl::StrCat(
      DataBlock("grid", GridRows(grid)), "set contour base\nunset surface\n", ContourLines("lines_mean", 3, grid.means),
      ContourLines("lines_deviation", 4, grid.deviations), "unset contour\nset surface\n",
      DataBlock("trials", TrialRows(data, false)), DataBlock("around", TrialRows(data, true)), "set multiplot\n",
      Title(title, size), "unset grid\nunset key\n", Tics('x', grid.x), Tics('y', grid.y), "set xlabel ",
      Quoted(Shortened(Printable(grid.x.axis.name), 40)), "\nset ylabel ",
      Quoted(Shortened(Printable(grid.y.axis.name), 40)), "\n",
      ContourPanel(data, 0, absl::StrCat("expected ", Shortened(Printable(data.metric), 40)),
                   absl::StrCat(ObjectivePalette(data), "unset cblabel\n", log ? "set" : "unset", " logscale cb\n"),
                   grid.means),
      ContourPanel(data, 1, "standard deviation", deviation_palette, grid.deviations), "unset multiplot\n");
}

std::string LeaveOneOutScript(const PlotData& data, PlotSize size) {
  const std::string what = "each trial as the others predict it";
  if (!data.model || data.model->left_out.empty()) return EmptyPicture(data, what, kNoModel, size);
  std::string within, outside;
  double low = INFINITY, high = -INFINITY, mean = 0, residuals = 0, spread = 0;
  size_t inside = 0;
  const std::vector<PlotModel::LeftOut>& all = data.model->left_out;
  for (const PlotModel::LeftOut& one : all) mean += one.observed / static_cast<double>(all.size());
  for (const PlotModel::LeftOut& one : all) {
    const bool is_inside = !IsOutside(one);
    inside += is_inside ? 1 : 0;
    residuals += (one.observed - one.mean) * (one.observed - one.mean);
    spread += (one.observed - mean) * (one.observed - mean);
    absl::StrAppend(is_inside ? &within : &outside, Cell(one.observed), " ", Cell(one.mean), " ",
                    Cell(one.mean - 2 * one.deviation), " ", Cell(one.mean + 2 * one.deviation), "\n");
    low = std::min({low, one.observed, one.mean});
    high = std::max({high, one.observed, one.mean});
  }
  const bool log = WantsLog(low, high);
  const double air = high > low ? (high - low) * 0.06 : std::max(std::abs(low) * 0.1, 1e-9);
  const std::string range = log ? absl::StrCat(" [", Cell(low / 1.3), ":", Cell(high * 1.3), "]\n")
                                : absl::StrCat(" [", Cell(low - air), ":", Cell(high + air), "]\n");
  const std::string quality = absl::StrCat(inside, " of ", all.size(), " within two deviations",
                                           spread > 0 ? absl::StrFormat(", R2 = %.2f", 1 - residuals / spread) : "");
  const double dot = all.size() > 300 ? 0.4 : 0.7;
  std::string script = absl::StrCat(
      Title(absl::StrCat(data.job, ": ", what), size), "set xlabel ",
      Quoted(absl::StrCat("observed ", Shortened(Printable(data.metric), 40))),
      "\nset ylabel 'predicted from the other trials, two deviations each way'\n", log ? "set logscale xy\n" : "",
      "set xrange", range, "set yrange", range, "set label 1 ", Quoted(quality),
      " at graph 0.98,0.06 right font ',12' tc rgb '", kInk, "' front\n", DataBlock("within", within),
      DataBlock("outside", outside), DataBlock("names", Names(all, low, high)),
      "floor = ", log ? Cell(low / 10) : Cell(-1e308),
      "  # a logarithmic axis has no lower ends\nplot x with lines lw 1.4 lc rgb '", kGrey, "' title 'as predicted'");
  if (!within.empty()) {
    absl::StrAppend(&script, ", $within using 1:2:($3 > floor ? $3 : floor):4 with yerrorbars pt 7 ps ", dot,
                    " lw 1 lc rgb '#500072B2' title 'within two deviations'");
  }
  if (!outside.empty()) {
    absl::StrAppend(&script, ", $outside using 1:2:($3 > floor ? $3 : floor):4 with yerrorbars pt 7 ps ", dot,
                    " lw 1 lc rgb '", kRed,
                    "' title 'outside', $names using 1:2:3 with labels offset 0.9,0.6 left font ',9' tc rgb '", kInk,
                    "' notitle");
  }
  return script + "\n";
}

}  // namespace tuner::cli

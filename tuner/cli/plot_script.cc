#include "tuner/cli/plot_script.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "tuner/cli/plot_parts.h"
#include "tuner/cli/text.h"

namespace tuner::cli {
namespace {

struct Colour {
  double red, green, blue;
};
// Viridis from its dark end; the palest yellow is left out, as it cannot be seen on white.
constexpr Colour kBestToWorst[] = {{68, 1, 84}, {59, 82, 139}, {33, 145, 140}, {94, 201, 98}, {190, 222, 50}};
constexpr int kStops = 5;

Colour At(double worse) {
  const double place = std::clamp(worse, 0.0, 1.0) * (kStops - 1);
  const int stop = std::min(kStops - 2, static_cast<int>(place));
  const double share = place - stop;
  const auto mix = [share](double a, double b) { return a + (b - a) * share; };
  const Colour &a = kBestToWorst[stop], &b = kBestToWorst[stop + 1];
  return {mix(a.red, b.red), mix(a.green, b.green), mix(a.blue, b.blue)};
}

unsigned Packed(const Colour& colour, unsigned alpha) {
  const auto byte = [](double value) { return static_cast<unsigned>(std::lround(value)); };
  return alpha << 24 | byte(colour.red) << 16 | byte(colour.green) << 8 | byte(colour.blue);
}

// Points of a history, by what became of the trial.
struct HistoryPoints {
  std::string completed, stopped, broken, failed, best_so_far;
  int failures = 0, early = 0;
};

HistoryPoints PointsOf(const PlotData& data) {
  HistoryPoints points;
  double best = NAN;
  for (const PlotTrial& trial : data.trials) {
    const std::string x = absl::StrCat(trial.number, " ");
    if (trial.failed()) {
      ++points.failures;
      absl::StrAppend(&points.failed, x, "0\n");
      continue;
    }
    if (!trial.objective) continue;
    const bool complete = trial.state == v1::Trial::COMPLETED;
    points.early += complete ? 0 : 1;
    std::string& rows = !complete ? points.stopped : trial.keeps_constraints ? points.completed : points.broken;
    absl::StrAppend(&rows, x, Cell(*trial.objective), "\n");
    if (!complete || !trial.keeps_constraints) continue;
    if (std::isnan(best) || (data.maximize ? *trial.objective > best : *trial.objective < best))
      best = *trial.objective;
    absl::StrAppend(&points.best_so_far, x, Cell(best), "\n");
  }
  return points;
}

}  // namespace

std::string Quoted(const std::string& text) {
  // In octal whatever means something to gnuplot: quotes, backslashes, command substitution by backquotes, macros by @.
  std::string quoted = "\"";
  for (const char c : Printable(text)) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains(" .,:;-+_/=()[]<>", c) || c < 0) {
      quoted += c;
    } else {
      absl::StrAppendFormat(&quoted, "\\%03o", static_cast<unsigned>(c));
    }
  }
  return quoted + "\"";
}

std::string QuotedTic(const std::string& text) { return Quoted(absl::StrReplaceAll(text, {{"%", "%%"}})); }

std::string Cell(double value) { return std::isfinite(value) ? absl::StrFormat("%.17g", value) : "NaN"; }

std::string Title(const PlotData& data, const std::string& what, PlotSize size) {
  return Title(absl::StrCat(data.job, ": ", what, ", ", data.maximize ? "maximize " : "minimize ", data.metric), size);
}

std::string Title(const std::string& text, PlotSize size) {
  return absl::StrCat("set label 999 ", Quoted(text), " at screen ", 18.0 / size.width, ",", 1 - 26.0 / size.height,
                      " left font ',15' tc rgb '", kInk, "' front\n");
}

unsigned ObjectiveColour(double goodness, unsigned alpha) { return Packed(At(1 - goodness), alpha); }

std::string ObjectivePalette(const PlotData& data) {
  std::string stops;
  for (int i = 0; i < kStops; ++i) {
    const int stop = data.maximize ? kStops - 1 - i : i;
    absl::StrAppendFormat(&stops, "%s%d '#%06x'", i ? ", " : "", i, Packed(kBestToWorst[stop], 0));
  }
  double low = data.objective.min, high = data.objective.max;
  if (!(high > low)) {
    const double margin = std::max(std::abs(low) * 0.05, 1e-9);
    low -= margin;
    high += margin;
  }
  return absl::StrCat("set palette defined (", stops, ")\nset cbrange [", Cell(low), ":", Cell(high), "]\n",
                      data.objective.scale == PlotAxis::Scale::kLog ? "set logscale cb\n" : "", "set cblabel ",
                      Quoted(data.metric), " tc rgb '", kInk, "'\nset cbtics tc rgb '", kInk,
                      "' font ',10'\nset colorbox\n$nothing << EOD\n-1e9 -1e9 ", Cell(low), "\nEOD\n");
}

std::string ObjectiveRange(const PlotData& data) {
  const double low = data.objective.min, high = data.objective.max;
  if (data.objective.scale == PlotAxis::Scale::kLog) {
    const double air = std::pow(high / low, 0.07);
    return absl::StrCat("set logscale y\nset yrange [", Cell(low / air / air), ":", Cell(high * air), "]\n");
  }
  const double range = high > low ? high - low : std::max(std::abs(low) * 0.2, 1e-6);
  return absl::StrCat("set yrange [", Cell(low - range * 0.1), ":", Cell(high + range * 0.06), "]\n");
}

std::string Multiplot(size_t panels, size_t columns, int right, PlotSize size) {
  const size_t rows = (panels + columns - 1) / columns;
  const auto across = [&](double pixels) { return pixels / size.width; };
  const auto up = [&](double pixels) { return pixels / size.height; };
  return absl::StrCat("set multiplot layout ", rows, ",", columns, " margins screen ", across(84), ",",
                      1 - across(right), ",", up(66), ",", 1 - up(84), " spacing screen ", across(92), ",", up(92),
                      "\n");
}

std::string DataBlock(const std::string& name, const std::string& rows) {
  return absl::StrCat("$", name, " << EOD\n", rows.empty() ? "NaN NaN NaN\n" : rows, "EOD\n");
}

std::string EmptyPicture(const PlotData& data, const std::string& what, const std::string& why, PlotSize size) {
  return absl::StrCat(Title(data, what, size),
                      "unset border\nunset tics\nunset key\nset xrange [0:1]\nset yrange [0:1]\nset label 1 ",
                      Quoted(why), " at graph 0.5,0.5 center font ',14' tc rgb '", kGrey, "'\nplot NaN notitle\n");
}

std::string Preamble(const std::string& format, const std::string& output, PlotSize size) {
  const std::string dimensions = absl::StrCat(size.width, ",", size.height);
  // PNG is drawn at twice the size, so that it is sharp on today's screens.
  const std::string terminal =
      format == "png"
          ? absl::StrCat("pngcairo noenhanced size ", size.width * 2, ",", size.height * 2,
                         " fontscale 2 linewidth 2 pointscale 2 font 'sans,12' background rgb 'white'")
          : absl::StrCat("svg noenhanced size ", dimensions, " dynamic font 'sans-serif,13' background rgb 'white'");
  return absl::StrCat(
      "set encoding utf8\nset terminal ", terminal, "\nset output ", Quoted(output), "\nset border 3 lc rgb '", kGrey,
      "' lw 1\n", "set grid x y back lt 1 lc rgb '#DDE2E7' lw 1\nset tics nomirror out scale 0.6 tc rgb '", kInk,
      "'\nset key at graph 0,1.02 left bottom Left reverse horizontal nobox samplen 1.4 width 1 tc rgb '", kInk,
      "'\nset xlabel tc rgb '", kInk, "'\nset ylabel tc rgb '", kInk, "'\n",
      "set format x '%g'\nset format y '%g'\nset format cb '%g'\nset rmargin 4\nset tmargin 4.8\n");
}

std::string HistoryScript(const PlotData& data, PlotSize size) {
  const std::string what = "objective of each trial";
  if (data.trials.empty()) return EmptyPicture(data, what, "no trial yet", size);
  const HistoryPoints points = PointsOf(data);
  const int last = data.trials.back().number;
  std::string script = absl::StrCat(Title(data, what, size), "set xlabel 'trial'\nset ylabel ", Quoted(data.metric),
                                    "\nset xrange [0.5:", last, ".5]\n", last <= 12 ? "set xtics 1\n" : "",
                                    DataBlock("completed", points.completed), DataBlock("stopped", points.stopped),
                                    DataBlock("broken", points.broken), DataBlock("failed", points.failed),
                                    DataBlock("best", points.best_so_far));
  const bool any = !points.completed.empty() || !points.stopped.empty() || !points.broken.empty();
  if (any) script += ObjectiveRange(data);
  if (!any)
    script +=
        "set yrange [0:1]\nunset ytics\nset label 1 'no trial has a value' at graph 0.5,0.5 center font ',14' tc rgb "
        "'#9AA5B1'\n";
  // Failed trials have no height: they stand on the axis, by a second y axis that is not shown.
  const double dot = data.trials.size() > 400 ? 0.45 : data.trials.size() > 100 ? 0.6 : 0.85;
  absl::StrAppend(&script, "set y2range [0:1]\nplot ");
  std::vector<std::string> parts;
  if (points.failures > 0 || !any) {
    parts.push_back(absl::StrCat("$failed using 1:(0.03) axes x1y2 with points pt 2 ps ", dot, " lw 1.5 lc rgb '", kRed,
                                 "' title 'failed'"));
  }
  if (any) {
    parts.push_back(absl::StrCat("$completed using 1:2 with points pt 7 ps ", dot, " lc rgb '#50", kBlue + 1,
                                 "' title 'completed'"));
  }
  if (!points.broken.empty()) {
    parts.push_back(absl::StrCat("$broken using 1:2 with points pt 6 ps ", dot, " lw 1.4 lc rgb '", kRed,
                                 "' title 'breaks a constraint'"));
  }
  if (points.early > 0) {
    parts.push_back(absl::StrCat("$stopped using 1:2 with points pt 6 ps ", dot, " lw 1.4 lc rgb '", kBlue,
                                 "' title 'stopped early'"));
  }
  if (!points.best_so_far.empty()) {
    parts.push_back(absl::StrCat("$best using 1:2 with steps lw 2.4 lc rgb '", kOrange, "' title 'best so far'"));
  }
  script += absl::StrJoin(parts, ", ");
  return script + "\n";
}

PlotSize SizeOf(const std::string& kind, const PlotData& data, PlotSize asked) {
  if (kind == "parallel") {
    asked.width = std::max(asked.width, 110 * (static_cast<int>(data.axes.size()) + 2));
    return asked;
  }
  if (kind == "contour") {
    asked.width = std::max(asked.width, 1100);
    asked.height = std::min(asked.height, 500);
    return asked;
  }
  if (kind == "importance" && data.model) {
    const int bars = static_cast<int>(std::min<size_t>(data.model->importance.size(), 20));
    asked.height = std::max(240, 140 + bars * 46);
    return asked;
  }
  if (kind == "loo") {
    asked.width = std::min(asked.width, 760);
    asked.height = std::max(asked.height, 640);
    return asked;
  }
  if (kind == "front" && data.objectives.size() > 2) {
    asked.width = std::max(asked.width, 1200);
    asked.height = std::min(asked.height, 480);
    return asked;
  }
  const int panels = static_cast<int>(kind == "slice" ? data.axes.size() : kind == "curves" ? data.curves.size() : 1);
  if (panels <= 1) return asked;
  const int columns = panels <= 4 ? 2 : 3;
  const int rows = (panels + columns - 1) / columns;
  asked.width = std::max(asked.width, columns * 380);
  asked.height = std::max(rows == 1 ? 420 : asked.height, rows * 300 + 60);
  return asked;
}

}  // namespace tuner::cli

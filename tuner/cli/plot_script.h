// Pictures of a job as gnuplot scripts. All text of users stands in quoted, escaped strings; all data are numbers.
//
// Pure functions; any thread. Sizes in pixels.
#pragma once

#include <string>

#include "tuner/cli/plot_data.h"

namespace tuner::cli {

struct PlotSize {
  int width = 900;
  int height = 560;
};

// Bodies of scripts: the caller puts Terminal and the output before them. Each draws something also for no trials, one,
// or only failed ones.
std::string HistoryScript(const PlotData& data);
std::string ParallelScript(const PlotData& data);
std::string SliceScript(const PlotData& data);
std::string CurvesScript(const PlotData& data);

// The size that a kind of picture needs: slices and curves grow with the number of their panels.
PlotSize SizeOf(const std::string& kind, const PlotData& data, PlotSize asked);

// `set terminal`, the output file, and the style of all pictures. `format` is svg or png.
std::string Preamble(const std::string& format, const std::string& output, PlotSize size);

// A gnuplot string: single quotes, doubled inside; what cannot be printed escaped.
std::string Quoted(const std::string& text);

}  // namespace tuner::cli

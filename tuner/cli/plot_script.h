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

// Bodies of scripts; the Preamble of the same size comes before them. Each draws something also for no trials, one, or
// only failed ones.
std::string HistoryScript(const PlotData& data, PlotSize size);
std::string ParallelScript(const PlotData& data, PlotSize size);
std::string SliceScript(const PlotData& data, PlotSize size);
std::string CurvesScript(const PlotData& data, PlotSize size);
std::string FrontScript(const PlotData& data, PlotSize size);
// Of data.model.
std::string ImportanceScript(const PlotData& data, PlotSize size);
std::string ContourScript(const PlotData& data, PlotSize size);
std::string LeaveOneOutScript(const PlotData& data, PlotSize size);

// The size that a kind of picture needs: slices and curves grow with the number of their panels, a front of three
// objectives has three beside each other.
PlotSize SizeOf(const std::string& kind, const PlotData& data, PlotSize asked);

// `set terminal`, the output file, and the style of all pictures. `format` is svg or png.
std::string Preamble(const std::string& format, const std::string& output, PlotSize size);

// A gnuplot string that is only text, whatever is in it; what cannot be printed is escaped.
std::string Quoted(const std::string& text);
// The same for a tic's label, in which % would be a format.
std::string QuotedTic(const std::string& text);

}  // namespace tuner::cli

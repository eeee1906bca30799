// Pieces that the pictures share. Pure functions; any thread.
#pragma once

#include <string>

#include "tuner/cli/plot_data.h"
#include "tuner/cli/plot_script.h"

namespace tuner::cli {

// Okabe and Ito's palette, which colour-blind people can tell apart.
constexpr const char* kBlue = "#0072B2";
constexpr const char* kOrange = "#E69F00";
constexpr const char* kRed = "#D55E00";
constexpr const char* kGrey = "#9AA5B1";
constexpr const char* kInk = "#2F3B47";

// "JOB: what, minimize METRIC" at the top left of the whole picture.
std::string Title(const PlotData& data, const std::string& what, PlotSize size);
std::string Title(const std::string& text, PlotSize size);
// A column of numbers for a datablock, exact; "NaN" for none.
std::string Cell(double value);
// 0xAARRGGBB of a goodness in [0, 1], worst light, best dark; `alpha` 0 is opaque.
unsigned ObjectiveColour(double goodness, unsigned alpha);
// The same colours as gnuplot's palette over the objective's range, and a bar that explains them.
std::string ObjectivePalette(const PlotData& data);
// A plot element that draws nothing but makes gnuplot show the colour bar; needs $nothing of ObjectivePalette.
constexpr const char* kShowColourBar = "$nothing using 1:2:3 with points pt 7 ps 0.01 palette notitle";
// `set yrange` for the objective, with air above, and below for the marks of failed trials.
std::string ObjectiveRange(const PlotData& data);
// Panels in a grid, with room for labels, by pixels whatever the size; `right` is left free at the right edge.
std::string Multiplot(size_t panels, size_t columns, int right, PlotSize size);
// "$name << EOD ... EOD"; of no rows, one that draws nothing.
std::string DataBlock(const std::string& name, const std::string& rows);
// A picture that only says why there is nothing to see.
std::string EmptyPicture(const PlotData& data, const std::string& what, const std::string& why, PlotSize size);

}  // namespace tuner::cli

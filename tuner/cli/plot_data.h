// What pictures of a job are drawn from: its trials as numbers on axes. Only finite values get in.
//
// Pure functions; any thread. Ownership: values.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tuner/v1/tuning_service.pb.h"

namespace tuner::cli {

// An axis of a parameter or of the objective.
struct PlotAxis {
  enum class Scale { kLinear, kLog, kReverseLog };
  std::string name;
  Scale scale = Scale::kLinear;
  double min = 0, max = 1;              // of the values; of categories: 0 to their number - 1
  std::vector<std::string> categories;  // labels of 0, 1, ...; empty: numbers

  // 0 at min, 1 at max, on the scale; 0.5 for an axis of one value.
  double Position(double value) const;
  // Where labels stand: every category, or round numbers.
  struct Tick {
    double value;
    std::string label;
  };
  std::vector<Tick> Ticks(int about) const;
};

struct PlotTrial {
  int number = 0;
  v1::Trial::State state = v1::Trial::STATE_UNSPECIFIED;
  std::optional<double> objective;            // finite
  std::vector<std::optional<double>> values;  // by axis; absent: not active in this trial
  std::vector<double> outcomes;               // by PlotData::objectives; empty: not completed
  bool keeps_constraints = true;              // false: completed and breaks one
  bool highlighted = false;                   // the best trial, or on the Pareto front
  bool failed() const { return !objective && state >= v1::Trial::COMPLETED; }
};

struct PlotCurve {
  int trial = 0;
  std::vector<std::pair<double, double>> points;      // step and value, ascending steps
  std::vector<std::pair<double, double>> promotions;  // those of them from which it was promoted
  bool stopped_early = false;
};

// One of several objectives.
struct PlotObjective {
  PlotAxis axis;  // over the completed trials
  bool maximize = false;
};

// One axis of a grid of predictions. Coordinates are in [0, 1]: the scale's for continuous parameters; those of a few
// values have a cell for each.
struct GridAxis {
  PlotAxis axis;
  std::vector<google::protobuf::Value> values;  // ascending, or as listed
  std::vector<double> listed;                   // the same as PlotTrial has them; empty: continuous

  double Coordinate(size_t index) const;
  double CoordinateOf(double value) const;  // of a value as PlotTrial has it
};

// What is known of a job's model.
struct PlotModel {
  struct Importance {
    std::string name;
    double length_scale = 0, fanova = 0;  // shares
  };
  struct LeftOut {
    int trial = 0;
    double observed = 0, mean = 0, deviation = 0;
  };
  // Predictions where two parameters change and the others stay as in one trial; by rows of y, from the lowest.
  struct Grid {
    GridAxis x, y;
    int around = 0;  // number of that trial
    std::vector<double> means, deviations;
  };
  std::vector<Importance> importance;  // the highest by functional ANOVA first
  std::vector<LeftOut> left_out;       // in order of observation
  std::optional<Grid> grid;
};

struct PlotData {
  std::string job, metric;
  bool maximize = false;
  std::vector<PlotAxis> axes;             // parameters, in the order of the specification
  PlotAxis objective;                     // over the trials that have one
  std::vector<PlotTrial> trials;          // in order of number
  int best = 0;                           // number of the best completed trial; 0: none, or several objectives
  std::vector<PlotObjective> objectives;  // with several: all of them; else empty
  std::vector<int> front;                 // with several: numbers, the best of the first objective first
  std::map<std::string, std::vector<PlotCurve>> curves;  // by metric; the objective's among them

  // Steps that trials ran, and would have run if none had been stopped; 0: none was.
  int64_t steps_run = 0, steps_unstopped = 0;

  std::optional<PlotModel> model;  // if it was asked for, and there is one

  // 0 for the worst, 1 for the best value there is.
  double Goodness(double value) const;
  // What highlighted trials are called: "best: trial 7", "Pareto front".
  std::string HighlightTitle() const;
};

// `trials` with measurements if curves are wanted. Measurements of all attempts make a curve (core/curve.h).
PlotData MakePlotData(const v1::TuningJob& job, const v1::ListTrialsResponse& trials);

// Whether numbers that differ this much are better seen on a logarithmic axis.
bool WantsLog(double min, double max);

}  // namespace tuner::cli

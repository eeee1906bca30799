#include "strategies/bayesian_model.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "strategies/gp/acquisition.h"
#include "strategies/gp/dense.h"
#include "strategies/gp/fanova.h"
#include "strategies/gp/quasi_random.h"

namespace tuner::strategies {
namespace {

constexpr uint32_t kForecastStream = 0x6210;
constexpr int kForecastSamples = 512;
constexpr int32_t kOfAParent = 0;               // in place of a trial's number
constexpr char kResourceName[] = "(resource)";  // no parameter's, which have no parentheses by themselves

class BayesianModel : public ModelView {
 public:
  explicit BayesianModel(BayesianSnapshot snapshot)
      : s_(std::move(snapshot)),
        lengths_(gp::InverseLengths(s_.encoder->column_groups(), s_.posterior.parameters()).cwiseInverse()),
        acquisition_(s_.posterior, Eigen::MatrixXd(s_.encoder->width(), 0), s_.confidence) {}

  Prediction Predict(const core::ParameterMap& point) const override {
    const Eigen::MatrixXd column = Column(point);
    const gp::Prediction label = s_.posterior.Predict(column);
    Prediction result;
    result.label_mean = label.mean[0];
    result.label_standard_deviation = std::sqrt(label.variance[0]);
    result.mean = Value(label.mean[0]);
    result.standard_deviation = Deviation(label.mean[0], result.label_standard_deviation);
    result.acquisition = acquisition_.Values(column)[0];
    return result;
  }

  std::vector<Neighbour> Nearest(const core::ParameterMap& point, int count) const override {
    const Eigen::VectorXd scaled = Column(point).col(0).cwiseQuotient(lengths_);
    std::vector<Neighbour> all;
    for (Eigen::Index i = 0; i < s_.posterior.size(); ++i) {
      if (s_.trials[static_cast<size_t>(i)] == kOfAParent) continue;
      const Eigen::VectorXd other = s_.posterior.points().col(i).cwiseQuotient(lengths_);
      all.push_back({.trial = s_.trials[static_cast<size_t>(i)], .distance = (scaled - other).norm()});
    }
    std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.distance < b.distance; });
    all.resize(std::min(all.size(), static_cast<size_t>(std::max(count, 0))));
    return all;
  }

  absl::btree_map<std::string, double> LengthScaleImportance() const override {
    const Eigen::VectorXd inverse = (-s_.posterior.parameters().log_length).array().exp().matrix();
    absl::btree_map<std::string, double> shares;
    for (int group = 0; group < s_.encoder->group_count(); ++group)
      shares[Name(group)] = inverse[group] / inverse.sum();
    return shares;
  }

  // Of the posterior mean in the objective's unit.
  absl::btree_map<std::string, double> FanovaImportance() const override {
    const auto d = static_cast<size_t>(s_.encoder->parameter_count());
    const auto mean = [&](absl::Span<const double> units, absl::Span<double> values) {
      std::vector<std::vector<double>> points;
      for (size_t i = 0; i < values.size(); ++i) {
        const absl::Span<const double> point = units.subspan(i * d, d);
        s_.encoder->Snap(absl::MakeSpan(points.emplace_back(point.begin(), point.end())));
      }
      const Eigen::VectorXd labels = acquisition_.model().Mean(s_.encoder->EncodeAll(points));
      for (size_t i = 0; i < values.size(); ++i) values[i] = s_.warp.Inverse(labels[static_cast<Eigen::Index>(i)]);
    };
    const int dimensions = s_.encoder->parameter_count();
    const gp::AnovaIndices indices =
        gp::FunctionalAnova(dimensions, mean, {.samples = gp::AnovaSamples(dimensions), .seed = s_.seed});
    absl::btree_map<std::string, double> shares;
    for (const int parameter : s_.encoder->group_parameters()) {
      const std::string& name = s_.encoder->space().parameters()[static_cast<size_t>(parameter)].name;
      shares[name] = indices.shares[static_cast<size_t>(parameter)];
    }
    return shares;
  }

  // The gain that `trials` points chosen one after another, each where the model then promises most, bring on average
  // over draws of the objective from the posterior.
  double ExpectedImprovement(int trials) const override {
    if (trials <= 0 || s_.posterior.size() == 0) return 0;
    gp::SearchContext search;
    std::vector<std::vector<double>> known = s_.units;
    search.encoder = s_.encoder.get();
    search.known = &known;
    search.best = {BestRow()};
    search.column_lengths = lengths_;
    std::vector<std::vector<double>> chosen;
    search.allowed = [&](const std::vector<double>& units) {
      return std::find(known.begin(), known.end(), units) == known.end();
    };
    for (int i = 0; i < trials; ++i) {
      const gp::LogExpectedImprovement acquisition(s_.posterior, s_.encoder->EncodeAll(chosen));
      const std::vector<gp::Optimum> found =
          gp::Maximise(acquisition, search, s_.search, core::Rng(s_.seed, static_cast<uint64_t>(i), kForecastStream));
      if (found.empty()) break;
      chosen.push_back(found.front().units);
      known.push_back(found.front().units);
    }
    return chosen.empty() ? 0 : MeanGain(s_.encoder->EncodeAll(chosen));
  }

  std::vector<LeftOut> LeaveOneOut() const override {
    const gp::Prediction labels = s_.posterior.LeaveOneOut();
    std::vector<LeftOut> result;
    for (size_t i = 0; i < s_.trials.size(); ++i) {
      if (std::isnan(s_.objectives[i]) || s_.trials[i] == kOfAParent) continue;
      const auto row = static_cast<Eigen::Index>(i);
      result.push_back({.trial = s_.trials[i],
                        .observed = s_.objectives[i],
                        .mean = Value(labels.mean[row]),
                        .standard_deviation = Deviation(labels.mean[row], std::sqrt(labels.variance[row]))});
    }
    return result;
  }

  double NoiseDeviation() const override {
    if (s_.posterior.size() == 0) return 0;
    return Deviation(s_.posterior.MeanAtPoints().maxCoeff(), std::sqrt(s_.posterior.noise()));
  }

  DataRows Data() const override {
    DataRows data;
    data.columns.resize(static_cast<size_t>(s_.encoder->width()));
    for (int p = 0; p < s_.encoder->parameter_count(); ++p) {
      const gp::Encoder::ParameterInfo& info = s_.encoder->info(p);
      const std::string& name = s_.encoder->space().parameters()[static_cast<size_t>(p)].name;
      for (int c = 0; info.first_column >= 0 && c < info.columns; ++c) {
        data.columns[static_cast<size_t>(info.first_column) + static_cast<size_t>(c)] =
            info.numeric ? name : absl::StrCat(name, "=", LevelName(p, c));
      }
    }
    if (s_.encoder->with_fidelity()) data.columns.back() = kResourceName;
    data.trials = s_.trials;
    for (Eigen::Index i = 0; i < s_.posterior.size(); ++i) {
      const Eigen::VectorXd point = s_.posterior.points().col(i);
      data.coordinates.emplace_back(point.begin(), point.end());
    }
    data.labels.assign(s_.posterior.labels().begin(), s_.posterior.labels().end());
    return data;
  }

  std::vector<double> Coordinates(const core::ParameterMap& point) const override {
    const Eigen::MatrixXd column = Column(point);
    return {column.data(), column.data() + column.size()};
  }

  std::vector<std::pair<std::string, double>> Hyperparameters() const override {
    std::vector<std::pair<std::string, double>> result;
    for (int group = 0; group < s_.encoder->group_count(); ++group) {
      result.emplace_back(absl::StrCat("length_scale.", Name(group)),
                          std::exp(s_.posterior.parameters().log_length[group]));
    }
    result.emplace_back("signal_variance", s_.posterior.signal());
    result.emplace_back("noise_variance", s_.posterior.noise());
    result.emplace_back("mean", s_.posterior.mean());
    return result;
  }

 private:
  Eigen::MatrixXd Column(const core::ParameterMap& point) const {
    return s_.encoder->EncodeAll({s_.encoder->Units(point)});
  }

  // In the user's direction.
  double Value(double label) const {
    const double value = s_.warp.Inverse(label);
    return s_.goal == core::Goal::kMaximize ? value : -value;
  }

  // In the user's unit: half of what lies between one deviation less and one more. The warp's slope at the mean alone
  // would jump wherever the warp has a corner.
  double Deviation(double mean, double deviation) const {
    const double half = s_.warp.Inverse(mean + deviation) / 2 - s_.warp.Inverse(mean - deviation) / 2;
    return half > 0 ? half : s_.warp.InverseSlope(mean) * deviation;
  }

  std::string Name(int group) const {
    if (group == static_cast<int>(s_.encoder->group_parameters().size())) return kResourceName;
    return s_.encoder->space()
        .parameters()[static_cast<size_t>(s_.encoder->group_parameters()[static_cast<size_t>(group)])]
        .name;
  }

  std::string LevelName(int parameter, int column) const {
    const std::vector<double>& centres = s_.encoder->info(parameter).centres;
    if (static_cast<size_t>(column) >= centres.size()) return "(inactive)";
    return core::FormatValue(s_.encoder->space().FromUnit(parameter, centres[static_cast<size_t>(column)]));
  }

  int BestRow() const {
    Eigen::Index best = 0;
    s_.posterior.MeanAtPoints().maxCoeff(&best);
    return static_cast<int>(best);
  }

  double MeanGain(const Eigen::MatrixXd& points) const {
    const Eigen::Index count = points.cols();
    const Eigen::MatrixXd covariance = s_.posterior.CrossCovariance(points);
    const Eigen::MatrixXd whitened = gp::LowerProduct(s_.posterior.inverse_factor(), covariance);
    const Eigen::MatrixXd scaled = points.cwiseQuotient(lengths_.replicate(1, count));
    Eigen::MatrixXd joint = gp::SquaredDistances(scaled, scaled);
    gp::CovarianceFromSquaredDistances(s_.posterior.signal(), joint.data(), joint.size());
    joint -= gp::TransposedProduct(whitened, whitened);
    joint.diagonal().array() += 1e-9 * s_.posterior.signal();
    const Eigen::LDLT<Eigen::MatrixXd> factor(joint);
    const Eigen::VectorXd mean = acquisition_.model().Mean(points);
    const double incumbent = s_.posterior.MeanAtPoints().maxCoeff();
    const double incumbent_value = s_.warp.Inverse(incumbent);

    const gp::ScrambledSobol normals(static_cast<int>(count), s_.seed, kForecastStream);
    std::vector<double> z(static_cast<size_t>(count));
    double sum = 0;
    for (int i = 0; i < kForecastSamples; ++i) {
      normals.NormalPoint(static_cast<uint64_t>(i), absl::MakeSpan(z));
      Eigen::VectorXd draw = Eigen::Map<const Eigen::VectorXd>(z.data(), count);
      draw = factor.vectorD().cwiseMax(0.0).cwiseSqrt().cwiseProduct(draw);
      draw = factor.transpositionsP().transpose() * (factor.matrixL() * draw);
      const double best = (mean + draw).maxCoeff();
      if (best > incumbent) sum += s_.warp.Inverse(best) - incumbent_value;
    }
    return sum / kForecastSamples;
  }

  const BayesianSnapshot s_;
  const Eigen::VectorXd lengths_;
  const gp::UpperConfidenceBound acquisition_;
};

}  // namespace

std::shared_ptr<const ModelView> MakeBayesianModel(BayesianSnapshot snapshot) {
  return std::make_shared<BayesianModel>(std::move(snapshot));
}

}  // namespace tuner::strategies

// Agreement with scikit-learn's GaussianProcessRegressor on random data. The file of its answers is made by
// make_reference.py; TUNER_GP_REFERENCE names another one.
#include <Eigen/Core>
#include <cstdlib>
#include <fstream>
#include <map>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "strategies/gp/fit.h"
#include "strategies/gp/posterior.h"

namespace tuner::strategies::gp {
namespace {

using Eigen::MatrixXd;
using Eigen::VectorXd;
using Case = std::map<std::string, MatrixXd>;

std::vector<Case> ReadCases(const std::string& path) {
  std::vector<Case> cases;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream in(line);
    std::string name;
    Eigen::Index rows = 0;
    Eigen::Index cols = 0;
    in >> name >> rows >> cols;
    MatrixXd values(rows, cols);
    for (double& value : values.reshaped()) {
      std::string text;
      in >> text;
      value = std::stod(text);
    }
    if (name == "lengths") cases.emplace_back();
    cases.back()[name] = std::move(values);
  }
  return cases;
}

TEST(ScikitTest, Agrees) {
  const char* path = std::getenv("TUNER_GP_REFERENCE");
  const std::vector<Case> cases = ReadCases(path != nullptr ? path : TUNER_SCIKIT_REFERENCE);
  ASSERT_GE(cases.size(), 12u);
  for (size_t i = 0; i < cases.size(); ++i) {
    const Case& each = cases[i];
    const MatrixXd& points = each.at("points");
    const VectorXd labels = each.at("labels").reshaped();
    std::vector<int> groups(static_cast<size_t>(points.rows()));
    std::iota(groups.begin(), groups.end(), 0);
    const KernelParameters parameters{.log_length = each.at("lengths").reshaped().array().log().matrix(),
                                      .log_signal = std::log(each.at("signal_noise")(0)),
                                      .log_noise = std::log(each.at("signal_noise")(1))};
    const auto expect = [&](const std::string& name, const VectorXd& actual) {
      const VectorXd expected = each.at(name).reshaped();
      ASSERT_EQ(actual.size(), expected.size());
      for (Eigen::Index j = 0; j < actual.size(); ++j) {
        EXPECT_NEAR(actual[j], expected[j], 1e-10 * std::max(1.0, std::abs(expected[j])))
            << "case " << i << ": " << name << " " << j;
      }
    };
    VectorXd gradient;
    const double likelihood = LogLikelihood(points, groups, labels, parameters, &gradient);
    expect("likelihood", VectorXd::Constant(1, likelihood));
    expect("likelihood", VectorXd::Constant(1, LogLikelihood(points, groups, labels, parameters, nullptr)));
    expect("gradient", gradient);
    Posterior posterior(points, groups, parameters);
    posterior.SetLabels(labels);
    const Prediction prediction = posterior.Predict(each.at("queries"));
    expect("mean", prediction.mean);
    expect("variance", prediction.variance);
    const Prediction left_out = posterior.LeaveOneOut();
    expect("left_out_mean", left_out.mean);
    expect("left_out_variance", left_out.variance);
  }
}

}  // namespace
}  // namespace tuner::strategies::gp

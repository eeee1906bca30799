#include "core/curve.h"

#include <cmath>
#include <map>
#include <vector>

#include "core/rng.h"
#include "gtest/gtest.h"

namespace tuner::core {
namespace {

std::vector<int64_t> Steps(const Curve& curve) {
  std::vector<int64_t> steps;
  for (const Curve::Point& point : curve.points()) steps.push_back(point.step);
  return steps;
}

TEST(CurveTest, KnowsValueBestAndAverageUpToAStep) {
  Curve curve;
  curve.Put(1, 2, 4);
  curve.Put(1, 5, 1);
  curve.Put(1, 3, 7);  // out of order
  curve.Put(1, 4, std::nan(""));
  EXPECT_EQ(Steps(curve), (std::vector<int64_t>{2, 3, 5}));
  EXPECT_EQ(curve.ValueAt(1), std::nullopt);
  EXPECT_EQ(curve.ValueAt(4), 7);
  EXPECT_EQ(curve.BestUpTo(4, Goal::kMinimize), 4);
  EXPECT_EQ(curve.BestUpTo(5, Goal::kMinimize), 1);
  EXPECT_EQ(curve.BestUpTo(5, Goal::kMaximize), 7);
  EXPECT_EQ(curve.AverageUpTo(3), 5.5);
  EXPECT_EQ(curve.AverageUpTo(9), 4);
  EXPECT_EQ(curve.last_step(), 5);
}

TEST(CurveTest, AFreshStartTakesThePlaceOfWhatItRepeats) {
  Curve curve;
  for (int step = 1; step <= 4; ++step) curve.Put(1, step, 10 * step);
  curve.Put(2, 1, 5);
  EXPECT_EQ(Steps(curve), std::vector<int64_t>{1});
  EXPECT_EQ(curve.ValueAt(9), 5);
  curve.Put(1, 3, 30);  // late, of the attempt before
  EXPECT_EQ(Steps(curve), std::vector<int64_t>{1});
}

TEST(CurveTest, ACheckpointAddsToWhatWasThere) {
  Curve curve;
  for (int step = 1; step <= 4; ++step) curve.Put(1, step, 10 * step);
  curve.Put(2, 4, 41);
  curve.Put(2, 5, 50);
  EXPECT_EQ(Steps(curve), (std::vector<int64_t>{1, 2, 3, 4, 5}));
  EXPECT_EQ(curve.ValueAt(4), 41);
}

// The naive twin: of each attempt, only the steps before the first step of any later one.
TEST(CurveTest, TheOrderOfCallsDoesNotMatter) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Rng rng(seed, 0);
    std::map<std::pair<int32_t, int64_t>, double> values;
    std::vector<std::pair<int32_t, int64_t>> order;
    for (int i = 0; i < 25; ++i) {
      const std::pair<int32_t, int64_t> key(1 + static_cast<int32_t>(rng.NextBelow(3)),
                                            1 + static_cast<int64_t>(rng.NextBelow(12)));
      values[key] = rng.NextDouble();
    }
    for (const auto& [key, value] : values)
      order.insert(order.begin() + static_cast<long>(rng.NextBelow(order.size() + 1)), key);
    Curve curve;
    for (const auto& key : order) curve.Put(key.first, key.second, values[key]);
    std::map<int64_t, double> expected;
    for (const auto& [key, value] : values) {
      bool superseded = false;
      for (const auto& [other, unused] : values) superseded |= other.first > key.first && other.second <= key.second;
      if (!superseded) expected[key.second] = value;
    }
    ASSERT_EQ(curve.points().size(), expected.size()) << "seed " << seed;
    double sum = 0;
    size_t i = 0;
    for (const auto& [step, value] : expected) {
      sum += value;
      EXPECT_EQ(curve.points()[i].step, step) << "seed " << seed;
      EXPECT_EQ(curve.points()[i].value, value) << "seed " << seed;
      EXPECT_DOUBLE_EQ(curve.points()[i].sum, sum) << "seed " << seed;
      ++i;
    }
  }
}

}  // namespace
}  // namespace tuner::core

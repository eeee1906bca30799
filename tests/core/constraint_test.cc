#include "core/constraint.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "tests/core/random_space.h"

namespace tuner::core {
namespace {

// a, b whole; x, y continuous; s stepped; booster and flag; rate only under dart.
SearchSpace Space() {
  return SearchSpace::Make({Named("a", IntegerDomain{.min = 0, .max = 10}),
                            Named("b", IntegerDomain{.min = 0, .max = 10}),
                            Named("x", DoubleDomain{.min = 0, .max = 1}), Named("y", DoubleDomain{.min = 0, .max = 1}),
                            Named("s", DoubleDomain{.min = 0, .max = 1, .step = 0.1}),
                            Named("booster", CategoricalDomain{{"gbtree", "gblinear", "dart"}}),
                            Named("flag", BooleanDomain{}), Named("mode", CategoricalDomain{{"dart", "fast"}}),
                            Child(Named("rate", DoubleDomain{.min = 0, .max = 1}), 5, {std::string("dart")}),
                            Named("learning-rate", DoubleDomain{.min = 0, .max = 1})});
}

ParameterMap Point(double a, double b, double x = 0.5, std::string booster = "gbtree") {
  ParameterMap point = {{"a", static_cast<int64_t>(a)},
                        {"b", static_cast<int64_t>(b)},
                        {"x", x},
                        {"y", 0.25},
                        {"s", 0.3},
                        {"booster", booster},
                        {"flag", true},
                        {"mode", std::string("fast")},
                        {"learning-rate", 0.1}};
  if (booster == "dart") point["rate"] = 0.5;
  return point;
}

std::string ProblemsOf(const std::vector<std::string>& texts, const ParameterMap& constants = {}) {
  Problems problems;
  const SearchSpace space = Space();
  ConstraintSet::Parse(texts, &space, constants, problems);
  std::vector<std::string> lines;
  for (const Problem& problem : problems) lines.push_back(absl::StrCat(problem.path, ": ", problem.text));
  return absl::StrJoin(lines, "\n");
}

bool Holds(const std::string& text, const ParameterMap& point, const ParameterMap& constants = {}) {
  Problems problems;
  const SearchSpace space = Space();
  const ConstraintSet set = ConstraintSet::Parse({text}, &space, constants, problems);
  EXPECT_TRUE(problems.empty()) << problems[0].text;
  if (!problems.empty()) return false;
  // The three ways to ask agree.
  std::vector<double> numbers(space.parameters().size());
  space.Numbers(point, absl::MakeSpan(numbers));
  const bool satisfied = set.Satisfied(point);
  EXPECT_EQ(set.Satisfied(numbers), satisfied) << text;
  std::vector<Interval> box;
  for (const double number : numbers) {
    box.push_back({number, number, std::isnan(number) ? Extent::kNone : Extent::kAll});
  }
  EXPECT_EQ(set.Judge(0, box), satisfied ? Extent::kAll : Extent::kNone) << text;
  EXPECT_EQ(set.Broken(point).has_value(), !satisfied) << text;
  return satisfied;
}

TEST(ConstraintTest, Comparisons) {
  EXPECT_TRUE(Holds("a * 2 + b <= 20", Point(5, 10)));
  EXPECT_FALSE(Holds("a * 2 + b <= 20", Point(6, 9)));
  EXPECT_TRUE(Holds("a < b", Point(1, 2)));
  EXPECT_FALSE(Holds("a < b", Point(2, 2)));
  EXPECT_TRUE(Holds("a >= b", Point(2, 2)));
  EXPECT_TRUE(Holds("a = b", Point(2, 2)));
  EXPECT_TRUE(Holds("a == b", Point(2, 2)));
  EXPECT_TRUE(Holds("a != b", Point(2, 3)));
  EXPECT_TRUE(Holds("x <= 0.5 * (a - b) / 2 + 1e-1", Point(4, 2, 0.6)));
  EXPECT_FALSE(Holds("x <= 0.5 * (a - b) / 2 + 1e-1", Point(4, 2, 0.61)));
  EXPECT_TRUE(Holds("-x <= -.5", Point(0, 0, 0.5)));
  EXPECT_TRUE(Holds("2 - -a = 5", Point(3, 0)));
}

TEST(ConstraintTest, BindsAsWritten) {
  EXPECT_TRUE(Holds("a = 1 or a = 2 and b = 3", Point(1, 0)));
  EXPECT_FALSE(Holds("(a = 1 or a = 2) and b = 3", Point(1, 0)));
  EXPECT_TRUE(Holds("not a = 1 and b = 3", Point(2, 3)));
  EXPECT_FALSE(Holds("NOT (a = 1 OR b = 3)", Point(2, 3)));
  EXPECT_TRUE(Holds("1 + a * 2 - 3 / 3 = 2 * (a + b)", Point(4, 0)));
  EXPECT_TRUE(Holds("(a + b) * 2 <= 6", Point(1, 2)));
  EXPECT_TRUE(Holds("((a + b <= 3))", Point(1, 2)));
  EXPECT_TRUE(Holds("10 - 2 - 3 = a", Point(5, 0)));
}

TEST(ConstraintTest, TextsAndFlags) {
  EXPECT_TRUE(Holds("booster != 'gblinear' or x = 0", Point(0, 0)));
  EXPECT_FALSE(Holds("booster != 'gblinear' or x = 0", Point(0, 0, 0.5, "gblinear")));
  EXPECT_TRUE(Holds("booster != 'gblinear' or x = 0", Point(0, 0, 0, "gblinear")));
  EXPECT_FALSE(Holds("not (booster = \"dart\" and rate > 0.3)", Point(0, 0, 0.5, "dart")));
  EXPECT_TRUE(Holds("flag", Point(0, 0)));
  EXPECT_FALSE(Holds("not flag", Point(0, 0)));
  EXPECT_TRUE(Holds("flag = true and true = flag and flag != false", Point(0, 0)));
  EXPECT_TRUE(Holds("booster != mode", Point(0, 0, 0.5, "dart")));
  EXPECT_TRUE(Holds("parameters.booster = 'dart' or parameters.\"learning-rate\" < 0.2", Point(0, 0)));
}

// docs/constraints.md: `not` goes inwards first, then a comparison with an inactive parameter holds.
TEST(ConstraintTest, InactiveParametersBreakNothing) {
  for (const char* text : {"rate > 2 - 1", "rate < 0", "not rate >= 0", "not (booster = 'gbtree' and rate > 0.3)",
                           "rate * 0 > 1", "a > 99 - 1 or rate < 0"}) {
    EXPECT_TRUE(Holds(text, Point(1, 1))) << text;
  }
  EXPECT_FALSE(Holds("a > 98 and rate < 0", Point(1, 1)));
  EXPECT_FALSE(Holds("rate < 0", Point(1, 1, 0.5, "dart")));
}

// 0.1 + 0.2 is not 0.3 in binary, and must be for people.
TEST(ConstraintTest, RoundingDecidesNothing) {
  EXPECT_TRUE(Holds("x + 0.2 <= 0.3", Point(0, 0, 0.1)));
  EXPECT_TRUE(Holds("x + 0.2 = 0.3", Point(0, 0, 0.1)));
  EXPECT_FALSE(Holds("x + 0.2 > 0.3", Point(0, 0, 0.1)));
  EXPECT_FALSE(Holds("x + 0.2 != 0.3", Point(0, 0, 0.1)));
  EXPECT_TRUE(Holds("x < 0.3", Point(0, 0, 0.299999999)));
  // Whole numbers are exact up to 2^53.
  Problems problems;
  const SearchSpace large = SearchSpace::Make({Named("n", IntegerDomain{.min = 0, .max = int64_t{1} << 53}),
                                               Named("m", IntegerDomain{.min = 0, .max = int64_t{1} << 53})});
  const ConstraintSet set = ConstraintSet::Parse({"n < m"}, &large, {}, problems);
  EXPECT_TRUE(set.Satisfied(ParameterMap{{"n", (int64_t{1} << 53) - 1}, {"m", int64_t{1} << 53}}));
  EXPECT_FALSE(set.Satisfied(ParameterMap{{"n", int64_t{1} << 53}, {"m", int64_t{1} << 53}}));
}

TEST(ConstraintTest, StaticParametersAreConstants) {
  const ParameterMap constants = {{"budget", 7.0}, {"kind", std::string("dart")}, {"n", int64_t{3}}, {"on", true}};
  EXPECT_TRUE(Holds("a * n + b <= budget", Point(2, 1), constants));
  EXPECT_FALSE(Holds("a * n + b <= budget", Point(2, 2), constants));
  EXPECT_FALSE(Holds("booster != kind", Point(2, 2, 0.5, "dart"), constants));
  EXPECT_TRUE(Holds("flag = on", Point(2, 2), constants));
}

TEST(ConstraintTest, SaysWhichOneIsBroken) {
  Problems problems;
  const SearchSpace space = Space();
  const ConstraintSet set = ConstraintSet::Parse({"a <= 5", "a + b <= 8", "x < 0.9"}, &space, {}, problems);
  EXPECT_EQ(set.size(), 3);
  EXPECT_EQ(set.Broken(Point(4, 4)), std::nullopt);
  EXPECT_EQ(set.Broken(Point(5, 4, 0.95)), 1);
  EXPECT_EQ(set.Quote(1), "breaks constraints[1] `a + b <= 8`");
  EXPECT_EQ(std::vector<int>(set.Mentioned(1).begin(), set.Mentioned(1).end()), (std::vector<int>{0, 1}));
  EXPECT_TRUE(ConstraintSet().empty());
  EXPECT_TRUE(ConstraintSet().Satisfied(Point(1, 1)));
}

TEST(ConstraintTest, TellsLinearInequalities) {
  Problems problems;
  const SearchSpace space = Space();
  const ConstraintSet set = ConstraintSet::Parse(
      {"a * 2 + 1 <= 9 - x / 4", "not a < 3 * b", "a = b", "a <= 1 or b <= 1", "booster = 'dart'", "x - x + a > 2"},
      &space, {}, problems);
  ASSERT_TRUE(problems.empty());
  using Terms = std::vector<std::pair<int, double>>;
  ASSERT_TRUE(set.linear(0).has_value());
  EXPECT_EQ(set.linear(0)->terms, (Terms{{0, 2}, {2, 0.25}}));
  EXPECT_EQ(set.linear(0)->bound, 8);
  EXPECT_FALSE(set.linear(0)->strict);
  ASSERT_TRUE(set.linear(1).has_value());
  EXPECT_EQ(set.linear(1)->terms, (Terms{{0, -1}, {1, 3}}));
  EXPECT_EQ(set.linear(1)->bound, 0);
  EXPECT_FALSE(set.linear(1)->strict);
  for (const int i : {2, 3, 4}) EXPECT_FALSE(set.linear(i).has_value()) << i;
  ASSERT_TRUE(set.linear(5).has_value());
  EXPECT_EQ(set.linear(5)->terms, (Terms{{0, -1}}));
  EXPECT_EQ(set.linear(5)->bound, -2);
  EXPECT_TRUE(set.linear(5)->strict);
}

struct Refused {
  std::string text;
  std::string problem;
};

TEST(ConstraintTest, EveryRefusalQuotesThePlaceAndSaysWhatToChange) {
  const std::vector<Refused> table = {
      {"", "is empty; write a condition such as `a + b <= 10`, or leave it out"},
      {"a <", "at character 4 expected a parameter, a number, a text in quotes or `(`, found the end"},
      {"a <= 3 b", "at character 8 expected an operator, `and`, `or` or the end, found \"b\""},
      {"(a <= 3", "at character 8 expected an operator or `)`, found the end"},
      {"1 <= a <= 3", "at character 8 it compares a second time; write two comparisons with `and` between them"},
      {"a <= 'x", "at character 6 it opens a single quote that is never closed"},
      {"a <= 3x", "at character 6 expected a number such as 64, 0.5 or 1e-4, found \"3x\""},
      {"a <= 1e999", "at character 6 it has a number that is too large or too small"},
      {"a <= and", "at character 6 expected a parameter, a number, a text in quotes or `(`, found \"and\""},
      {"a ^ 2 <= 3", "at character 3 expected an operator, `and`, `or` or the end, found \"^ 2 <= 3\""},
      {"c <= 3", "at character 1 `c` is no parameter; give one of a, b, x, y, s, booster, flag, mode, ..."},
      {"learning-rate <= 3",
       "at character 1 `learning` is no parameter; if learning-rate is meant, write "
       "parameters.\"learning-rate\""},
      {"booster = gblinear", "at character 11 `gblinear` is no parameter, but a value of booster; write it in quotes"},
      {"booster = 'drat'",
       "at character 1 `booster = 'drat'` compares booster with a value that it never has; give one "
       "of \"gbtree\", \"gblinear\", \"dart\""},
      {"booster < 'dart'", "at character 1 `booster < 'dart'` orders values that are a text; use = or !="},
      {"booster = 3",
       "at character 1 `booster = 3` compares a text with a number; booster takes one of \"gbtree\", "
       "\"gblinear\", \"dart\""},
      {"a = '3'", "at character 1 `a = '3'` compares a number with a text; a takes a whole number from 0 to 10"},
      {"flag = 1", "at character 1 `flag = 1` compares true or false with a number; flag takes true or false"},
      {"flag + 1 <= 3", "at character 1 `flag` is true or false in a calculation; only numbers can be calculated with"},
      {"'1' + a <= 3", "at character 1 `'1'` is a text in a calculation; numbers stand without quotes"},
      {"a * b <= 3",
       "at character 1 `a * b` multiplies parameters with each other; constraints are linear, so multiply "
       "with numbers only"},
      {"a / b <= 3",
       "at character 1 `a / b` divides by a parameter; constraints are linear, so multiply both sides "
       "with it if one stays a number (`a / b <= 2` is `a <= 2 * b` for b above 0)"},
      {"a / 0 <= 3", "at character 1 `a / 0` divides by 0; give another number"},
      {"a * 1e200 * 1e200 <= 3",
       "at character 1 `a * 1e200 * 1e200` gives a number that is too large; write it with "
       "smaller ones"},
      {"1 < 2", "at character 1 `1 < 2` mentions no parameter to tune; leave it out"},
      {"'p' = 'p'", "at character 1 `'p' = 'p'` mentions no parameter to tune; leave it out"},
      {"a", "at character 1 `a` is a number where a condition is due; compare it with something"},
      {"a + 1",
       "at character 1 `a + 1` is a number where a condition is due; compare it with something, as in `a <= 3`"},
      {"true", "at character 1 `true` is alone where a condition is due; compare it with something, as in `a <= 3`"},
      {"(a < 1) = (b < 1)",
       "at character 1 `(a < 1) = (b < 1)` compares a condition; join conditions with `and`, `or` "
       "and `not`"},
      {"x = y",
       "at character 1 `x = y` asks for equality with y, which is continuous, so hardly any point has it; allow "
       "a margin with <= and >=, or compute one parameter from the others in the trial"},
      {"not x - a != 0",
       "at character 5 `x - a != 0` asks for equality with x, which is continuous, so hardly any point "
       "has it; allow a margin with <= and >=, or compute one parameter from the others in the trial"},
      {absl::StrCat(std::string(51, '('), "a <= 3", std::string(51, ')')),
       "at character 52 it is nested deeper than 50 levels; write it flatter"},
      {std::string(2000, ' '), "has 2000 characters; write it in at most 1000, or as several"},
  };
  for (const Refused& refused : table) {
    EXPECT_EQ(ProblemsOf({refused.text}), "constraints[0]: " + refused.problem) << refused.text;
  }
  EXPECT_EQ(ProblemsOf({"on"}, {{"on", true}}),
            "constraints[0]: at character 1 `on` is fixed by static_parameters and decides nothing; leave it out");
}

TEST(ConstraintTest, AllProblemsAtOnce) {
  EXPECT_EQ(
      ProblemsOf({"a <= 3", "nope <= 3 and nope <= 4", "a <=", "a * a <= 3"}),
      "constraints[1]: at character 1 `nope` is no parameter; give one of a, b, x, y, s, booster, flag, mode, ...\n"
      "constraints[2]: at character 5 expected a parameter, a number, a text in quotes or `(`, found the end\n"
      "constraints[3]: at character 1 `a * a` multiplies parameters with each other; constraints are linear, so "
      "multiply with numbers only");
  EXPECT_EQ(ProblemsOf(std::vector<std::string>(101, "a <= 3")), "constraints: has 101 entries; give at most 100");
  // Without a space that is sound, names are let alone.
  Problems problems;
  EXPECT_TRUE(ConstraintSet::Parse({"nope <= 3", "a <="}, nullptr, {}, problems).empty());
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].path, "constraints[1]");
}

// What interval arithmetic says of a random box is true of every point in it.
TEST(ConstraintTest, BoxesTellTheTruthAboutTheirPoints) {
  const SearchSpace space = Space();
  int certain = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomSpaces random(seed);
    const auto coefficient = [&] { return absl::StrCat(static_cast<double>(random.Below(9)) - 4); };
    const std::vector<std::string> atoms = {
        absl::StrCat(coefficient(), " * a + ", coefficient(), " * x < ", coefficient()),
        absl::StrCat(coefficient(), " * y >= ", coefficient(), " * rate"),
        "booster = 'dart'",
        "booster != mode",
        "flag",
        absl::StrCat("a = ", random.Below(10)),
        absl::StrCat("a != b + ", random.Below(4))};
    std::string text = atoms[random.Below(atoms.size())];
    for (int i = 0; i < 3; ++i) {
      text = absl::StrCat("(", text, ") ", random.Below(2) == 0 ? "and" : "or", random.Below(2) == 0 ? " not (" : " (",
                          atoms[random.Below(atoms.size())], ")");
    }
    Problems problems;
    const ConstraintSet set = ConstraintSet::Parse({text}, &space, {}, problems);
    ASSERT_TRUE(problems.empty()) << problems[0].text << ": " << text;
    // Two random points span a box; its points are mixes of theirs.
    std::vector<double> one(10), two(10), numbers(10);
    for (double& u : one) u = random.Uniform();
    for (size_t i = 0; i < 10; ++i) two[i] = random.Below(2) == 0 ? one[i] : random.Uniform();
    std::vector<double> low(10), high(10);
    space.NumbersFromUnits(one, absl::MakeSpan(low));
    space.NumbersFromUnits(two, absl::MakeSpan(high));
    std::vector<Interval> box;
    for (size_t i = 0; i < 10; ++i) {
      const bool one_active = !std::isnan(low[i]);
      const bool two_active = !std::isnan(high[i]);
      if (!one_active) low[i] = 0;
      if (!two_active) high[i] = 1;
      if (one_active != two_active) low[i] = 0, high[i] = 1;
      // Between two values of the booster any may be met.
      const Extent active = one_active && two_active && low[5] == high[5]     ? Extent::kAll
                            : !one_active && !two_active && low[5] == high[5] ? Extent::kNone
                                                                              : Extent::kSome;
      if (i == 8 && active == Extent::kSome) low[i] = 0, high[i] = 1;
      box.push_back({std::min(low[i], high[i]), std::max(low[i], high[i]), i == 8 ? active : Extent::kAll});
    }
    const Extent extent = set.Judge(0, box);
    certain += extent != Extent::kSome;
    for (int draw = 0; draw < 200; ++draw) {
      std::vector<double> units(10);
      for (size_t i = 0; i < 10; ++i) units[i] = one[i] + random.Uniform() * (two[i] - one[i]);
      if (box[8].active == Extent::kSome) units[8] = random.Uniform();
      space.NumbersFromUnits(units, absl::MakeSpan(numbers));
      if (extent == Extent::kAll) {
        ASSERT_TRUE(set.Satisfied(numbers)) << text;
      }
      if (extent == Extent::kNone) {
        ASSERT_FALSE(set.Satisfied(numbers)) << text;
      }
    }
  }
  EXPECT_GT(certain, 50);
}

}  // namespace
}  // namespace tuner::core

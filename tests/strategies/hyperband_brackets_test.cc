// Golden tables of Hyperband's arithmetic (Li et al. 2018, algorithm 1 and table 1).
#include "strategies/hyperband_brackets.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"

namespace tuner::strategies {
namespace {

std::string Table(int64_t max_resource, int eta, int64_t min_resource = 1, int count = 100) {
  std::string table;
  for (const Bracket& bracket : MakeBrackets(min_resource, max_resource, eta, count)) {
    absl::StrAppend(&table, "s=", bracket.s, ": ",
                    absl::StrJoin(bracket.rungs, " ",
                                  [](std::string* out, const Rung& rung) {
                                    absl::StrAppend(out, rung.size, "@", absl::SixDigits(rung.resource));
                                  }),
                    "\n");
  }
  return table;
}

TEST(HyperbandBracketsTest, AsInThePaper) {
  EXPECT_EQ(Table(81, 3),
            "s=4: 81@1 27@3 9@9 3@27 1@81\n"
            "s=3: 34@3 11@9 3@27 1@81\n"
            "s=2: 15@9 5@27 1@81\n"
            "s=1: 8@27 2@81\n"
            "s=0: 5@81\n");
  EXPECT_EQ(Table(27, 3),
            "s=3: 27@1 9@3 3@9 1@27\n"
            "s=2: 12@3 4@9 1@27\n"
            "s=1: 6@9 2@27\n"
            "s=0: 4@27\n");
  EXPECT_EQ(Table(100, 4),
            "s=3: 64@1.5625 16@6.25 4@25 1@100\n"
            "s=2: 22@6.25 5@25 1@100\n"
            "s=1: 8@25 2@100\n"
            "s=0: 4@100\n");
}

TEST(HyperbandBracketsTest, BudgetsSumUp) {
  int64_t trials = 0;
  double units = 0;
  for (const Bracket& bracket : MakeBrackets(1, 81, 3, 100)) {
    trials += bracket.size();
    for (const Rung& rung : bracket.rungs) units += static_cast<double>(rung.size) * rung.resource;
  }
  EXPECT_EQ(trials, 143);
  EXPECT_EQ(units, 1902);
}

TEST(HyperbandBracketsTest, CountsOnIntegers) {
  EXPECT_EQ(CountBrackets(1, 243, 3), 6);  // by logarithms in doubles it would be 5
  EXPECT_EQ(CountBrackets(1, 1, 3), 1);
  EXPECT_EQ(CountBrackets(1, 2, 3), 1);
  EXPECT_EQ(CountBrackets(3, 81, 3), 4);
  EXPECT_EQ(CountBrackets(4, 81, 3), 3);
  EXPECT_EQ(CountBrackets(81, 81, 3), 1);
}

TEST(HyperbandBracketsTest, FewerBracketsKeepTheFirst) {
  EXPECT_EQ(Table(81, 3, 1, 1), "s=4: 81@1 27@3 9@9 3@27 1@81\n");
  EXPECT_EQ(Table(81, 3, 9, 2), "s=2: 9@9 3@27 1@81\ns=1: 5@27 1@81\n");
}

TEST(HyperbandBracketsTest, WholeStepsRiseAndStayWithin) {
  for (int eta = 2; eta <= 5; ++eta) {
    for (int64_t max = 1; max <= 400; ++max) {
      for (const int64_t min : {int64_t{1}, int64_t{2}, max}) {
        if (min > max) continue;
        for (const Bracket& bracket : MakeBrackets(min, max, eta, 100)) {
          int64_t before = 0;
          for (const Rung& rung : bracket.rungs) {
            ASSERT_GT(rung.steps, before) << max << " " << eta;
            ASSERT_GE(rung.steps, min) << max << " " << eta;
            ASSERT_LE(static_cast<double>(rung.steps), std::max(1.0, rung.resource));
            before = rung.steps;
          }
          ASSERT_EQ(before, max);
        }
      }
    }
  }
}

}  // namespace
}  // namespace tuner::strategies

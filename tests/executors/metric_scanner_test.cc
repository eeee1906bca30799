#include "executors/metric_scanner.h"

#include <cmath>
#include <random>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

namespace tuner::executors {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::shared_ptr<const CompiledMetrics> Compile(const std::vector<core::MetricDefinition>& definitions) {
  auto compiled = CompileMetrics(definitions);
  EXPECT_TRUE(compiled.ok()) << compiled.status();
  return *compiled;
}

const std::vector<core::MetricDefinition> kLoss = {{"loss", "loss=(\\S+)"}};

// "metric@step=value" of each.
std::vector<std::string> Texts(const std::vector<core::Measurement>& measurements) {
  std::vector<std::string> texts;
  for (const core::Measurement& m : measurements) texts.push_back(absl::StrCat(m.metric, "@", m.step, "=", m.value));
  return texts;
}

std::vector<std::string> ScanAll(const std::vector<core::MetricDefinition>& definitions, std::string_view text) {
  MetricScanner scanner(Compile(definitions), {});
  std::vector<core::Measurement> found;
  scanner.Feed(MetricScanner::kStdout, text, found);
  scanner.Finish(MetricScanner::kStdout, found);
  return Texts(found);
}

TEST(MetricScannerTest, CountsStepsFromOne) {
  EXPECT_THAT(ScanAll(kLoss, "loss=0.5\nnothing\nloss=0.25\n"), ElementsAre("loss@1=0.5", "loss@2=0.25"));
}

TEST(MetricScannerTest, EachMetricCountsForItself) {
  const std::vector<core::MetricDefinition> two = {{"a", "a=(\\d+)"}, {"b", "b=(\\d+)"}};
  EXPECT_THAT(ScanAll(two, "a=1\na=2 b=7\n"), ElementsAre("a@1=1", "a@2=2", "b@1=7"));
}

TEST(MetricScannerTest, NamedGroupsGiveValueAndStep) {
  const std::vector<core::MetricDefinition> named = {{"loss", "epoch (?P<step>\\d+).*loss (?P<value>[0-9.]+)"}};
  EXPECT_THAT(ScanAll(named, "epoch 3: loss 0.5\nepoch 7: loss 0.25\n"), ElementsAre("loss@3=0.5", "loss@7=0.25"));
}

TEST(MetricScannerTest, AMissingOrAbsurdStepIsCounted) {
  const std::vector<core::MetricDefinition> maybe = {{"loss", "(?:epoch (?P<step>\\S+) )?loss (?P<value>[0-9.]+)"}};
  EXPECT_THAT(ScanAll(maybe, "epoch 5 loss 1\nloss 2\nepoch -3 loss 3\nepoch 99999999999999999999 loss 4\n"),
              ElementsAre("loss@5=1", "loss@6=2", "loss@7=3", "loss@8=4"));
}

TEST(MetricScannerTest, ProgressBarsEndLinesWithCarriageReturns) {
  EXPECT_THAT(ScanAll(kLoss, "\r10% loss=3\r20% loss=2\r\nloss=1"), ElementsAre("loss@1=3", "loss@2=2", "loss@3=1"));
}

TEST(MetricScannerTest, InfinitiesAndNanAreValuesWordsAreNot) {
  MetricScanner scanner(Compile(kLoss), {});
  std::vector<core::Measurement> found;
  scanner.Feed(MetricScanner::kStdout, "loss=inf\nloss=nan\nloss=-Infinity\nloss=bad\nloss=1e-3\nloss=0x\n", found);
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(found[0].value, HUGE_VAL);
  EXPECT_TRUE(std::isnan(found[1].value));
  EXPECT_EQ(found[2].value, -HUGE_VAL);
  EXPECT_EQ(found[3].value, 1e-3);
  EXPECT_EQ(found[3].step, 4);
  EXPECT_EQ(scanner.unparsable(), 2);
}

TEST(MetricScannerTest, OnlyTheBeginningOfALongLineCounts) {
  const std::string filler(kMaxLineBytes, 'x');
  EXPECT_THAT(ScanAll(kLoss, absl::StrCat("loss=1 ", filler, " loss=2\n", filler, " loss=3\nloss=4\n")),
              ElementsAre("loss@1=1", "loss@2=4"));
}

TEST(MetricScannerTest, GarbageDoesNoHarm) {
  std::string garbage;
  for (int i = 0; i < 256; ++i) garbage += static_cast<char>(i);
  EXPECT_THAT(ScanAll(kLoss, garbage + "loss=1\n" + std::string(3, '\0') + "\xff loss=2\n"),
              ElementsAre("loss@1=1", "loss@2=2"));
}

TEST(MetricScannerTest, TheCursorStandsBehindTheLastWholeLine) {
  MetricScanner scanner(Compile(kLoss), {});
  std::vector<core::Measurement> found;
  scanner.Feed(MetricScanner::kStdout, "loss=1\nloss=2", found);
  scanner.Feed(MetricScanner::kStderr, "x\ny", found);
  EXPECT_EQ(scanner.cursor().stdout_offset, 7);
  EXPECT_EQ(scanner.cursor().stderr_offset, 2);
  EXPECT_EQ(scanner.next_offset(MetricScanner::kStdout), 13);
  EXPECT_THAT(Texts(found), ElementsAre("loss@1=1"));
  scanner.Finish(MetricScanner::kStdout, found);
  EXPECT_EQ(scanner.cursor().stdout_offset, 13);
  EXPECT_THAT(Texts(found), ElementsAre("loss@1=1", "loss@2=2"));
}

TEST(MetricScannerTest, BadRegexesAreNamed) {
  for (const char* regex : {"loss=(", "loss=.*", "(?P<step>\\d+)", "((((a{1000}){1000}){1000}))"}) {
    const auto compiled = CompileMetrics({{"the-metric", regex}});
    EXPECT_EQ(compiled.status().code(), absl::StatusCode::kInvalidArgument) << regex;
    EXPECT_THAT(compiled.status().message(), testing::HasSubstr("the-metric"));
  }
}

// Two streams of random lines, some of them with metrics, some long, some with garbage.
std::string RandomOutput(std::mt19937& random) {
  std::string text;
  for (int line = 0; line < 60; ++line) {
    switch (random() % 6) {
      case 0:
        text += "nothing to see";
        break;
      case 1:
        for (int i = random() % 40; i > 0; --i) text += static_cast<char>(random() % 256);
        break;
      case 2:
        text += std::string(kMaxLineBytes - 20 + random() % 40, '.') + "loss=8";
        break;
      default:
        absl::StrAppend(&text, "loss=", random() % 100, random() % 3 == 0 ? " acc=0.5" : "");
    }
    text += random() % 4 == 0 ? "\r" : random() % 4 == 0 ? "\r\n" : "\n";
  }
  return text + "loss=77";
}

// However the bytes are cut into chunks, and wherever a scan is taken up again from a stored cursor: the measurements
// of each stream are the same.
TEST(MetricScannerTest, ChunksAndRestartsChangeNothing) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  const auto metrics = Compile({{"loss", "loss=(\\d+)"}, {"acc", "acc=([0-9.]+)"}});
  for (int round = 0; round < 30; ++round) {
    const std::string text = RandomOutput(random);
    MetricScanner whole(metrics, {});
    std::vector<core::Measurement> expected;
    whole.Feed(MetricScanner::kStdout, text, expected);
    whole.Finish(MetricScanner::kStdout, expected);

    auto scanner = std::make_unique<MetricScanner>(metrics, core::ScanCursor());
    std::vector<core::Measurement> committed;
    std::vector<core::Measurement> pending;
    const size_t largest = 1 + random() % (random() % 2 == 0 ? 7 : 100'000);
    while (scanner->next_offset(MetricScanner::kStdout) < static_cast<int64_t>(text.size())) {
      const auto offset = static_cast<size_t>(scanner->next_offset(MetricScanner::kStdout));
      scanner->Feed(MetricScanner::kStdout, std::string_view(text).substr(offset, 1 + random() % largest), pending);
      if (largest < 1000 && random() % 50 != 0) continue;
      committed.insert(committed.end(), pending.begin(), pending.end());
      pending.clear();
      // A restart scans what is not behind the cursor again. The last piece is never cut off, or it would be read for
      // ever.
      if (random() % 3 == 0 && offset + largest < text.size() &&
          scanner->cursor().stdout_offset > static_cast<int64_t>(offset)) {
        scanner = std::make_unique<MetricScanner>(metrics, scanner->cursor());
      }
    }
    scanner->Finish(MetricScanner::kStdout, pending);
    committed.insert(committed.end(), pending.begin(), pending.end());
    ASSERT_EQ(Texts(committed), Texts(expected)) << "round " << round;
  }
}

}  // namespace
}  // namespace tuner::executors

#include "tuner/cli/text.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tuner/cli/errors.h"
#include "tuner/cli/format.h"

namespace tuner::cli {
namespace {

TEST(TextTest, WidthCountsColumnsNotBytes) {
  EXPECT_EQ(DisplayWidth("abc"), 3);
  EXPECT_EQ(DisplayWidth("línea"), 5);
  EXPECT_EQ(DisplayWidth("e\u0301"), 1);   // a combining accent
  EXPECT_EQ(DisplayWidth("東京"), 4);      // wide
  EXPECT_EQ(DisplayWidth("\xff\xc3"), 2);  // malformed: one each
}

TEST(TextTest, NothingThatMovesTheCursorIsPrinted) {
  EXPECT_EQ(Printable("a\x1b[2Jb"), "a\\x1b[2Jb");
  EXPECT_EQ(Printable("a\nb\tc\r"), "a\\nb\\tc\\r");
  EXPECT_EQ(Printable("\xc2\x9b"
                      "31m"),
            "\\x9b31m");                            // the one-byte form of ESC [
  EXPECT_EQ(Printable("\u202etxt"), "\\u202etxt");  // right-to-left override
  EXPECT_EQ(Printable("bad\xff"), "bad\\xff");
  EXPECT_EQ(Printable(std::string("\0", 1)), "\\x00");
  EXPECT_EQ(Printable("naïve 東京 🎉"), "naïve 東京 🎉");
}

TEST(TextTest, ShortenedTextFitsAndSaysSo) {
  EXPECT_EQ(Shortened("abcdef", 6), "abcdef");
  EXPECT_EQ(Shortened("abcdef", 4), "abc…");
  EXPECT_EQ(DisplayWidth(Shortened("東京東京", 4)), 3);  // a wide letter is never cut in half
}

TEST(TextTest, NumbersAreShortButTellApart) {
  EXPECT_EQ(Number(0.0812), "0.0812");
  EXPECT_EQ(Number(1e-5), "1e-05");
  EXPECT_EQ(Number(-0.0), "0");
  EXPECT_EQ(Number(NAN), "nan");
  EXPECT_EQ(Number(-INFINITY), "-inf");
  google::protobuf::Value value;
  value.set_number_value(0.1);
  EXPECT_EQ(ValueText(value), "0.1");
  value.set_number_value(1.0 / 3);
  EXPECT_EQ(std::stod(ValueText(value)), 1.0 / 3);
}

TEST(TextTest, DurationsAndSizes) {
  EXPECT_EQ(DurationText(absl::Milliseconds(850)), "850ms");
  EXPECT_EQ(DurationText(absl::Seconds(1.25)), "1.2s");
  EXPECT_EQ(DurationText(absl::Seconds(185)), "3m 05s");
  EXPECT_EQ(DurationText(absl::Hours(99)), "4d 03h");
  EXPECT_EQ(BytesText(1536), "1.5 KiB");
}

TEST(TableTest, ColumnsAreAlignedWhateverIsInThem) {
  Table table({{"NAME"}, {"VALUE", Align::kRight}, {"NOTE"}});
  table.Add({"東京", "1", "x"});
  table.Add({"línea", "1000", "a\nb"});
  EXPECT_EQ(table.Render(0, false),
            "NAME   VALUE  NOTE\n"
            "東京       1  x\n"
            "línea   1000  a\\nb\n");
}

TEST(TableTest, FitsTheTerminalByCuttingWhatMayBeCut) {
  Table table({{"NAME"}, {"LONG", Align::kLeft, true}});
  table.Add({"keep-this", std::string(100, 'x')});
  const std::string text = table.Render(30, false);
  EXPECT_THAT(text, testing::HasSubstr("keep-this  xxxxxxxxxxxxxxxxxx…\n"));
  EXPECT_THAT(table.Render(0, false), testing::HasSubstr(std::string(100, 'x')));
}

TEST(ErrorsTest, EveryCodeHasOneExitCode) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), 0);
  for (const auto& status :
       {absl::InvalidArgumentError(""), absl::NotFoundError(""), absl::AlreadyExistsError(""),
        absl::FailedPreconditionError(""), absl::UnimplementedError(""), absl::UnauthenticatedError("")}) {
    EXPECT_EQ(ExitCodeOf(status), 2) << status;
  }
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError("")), 3);
  EXPECT_EQ(ExitCodeOf(absl::DeadlineExceededError("")), 3);
  EXPECT_EQ(ExitCodeOf(absl::InternalError("")), 1);
  EXPECT_EQ(ExitCodeOf(absl::CancelledError("")), 130);
}

TEST(ErrorsTest, EachProblemStandsOnALineOfItsOwn) {
  EXPECT_EQ(ErrorText(absl::InvalidArgumentError("the job has problems:\na: bad\nb: \x1b worse")),
            "tuner: the job has problems:\n  a: bad\n  b: \\x1b worse\n");
}

}  // namespace
}  // namespace tuner::cli

#include "core/rng.h"

#include <array>
#include <cmath>
#include <vector>

#include "gtest/gtest.h"

namespace tuner::core {
namespace {

using Block = std::array<uint32_t, 4>;

// Known answers of Random123 (kat_vectors, philox4x32 10).
TEST(PhiloxTest, KnownAnswers) {
  EXPECT_EQ(Philox4x32({0, 0, 0, 0}, {0, 0}), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// The layout of seed, ordinal and stream is what stored jobs rely on.
TEST(RngTest, SequenceIsThatOfItsBlocks) {
  Rng rng(0x1122334455667788, 0x99aabbccddeeff00, 7);
  for (uint32_t i = 0; i < 3; ++i) {
    const Block block = Philox4x32({i, 7, 0xddeeff00, 0x99aabbcc}, {0x55667788, 0x11223344});
    EXPECT_EQ(rng.NextUint64(), uint64_t{block[1]} << 32 | block[0]);
    EXPECT_EQ(rng.NextUint64(), uint64_t{block[3]} << 32 | block[2]);
  }
  EXPECT_EQ(Rng(0, 0).NextUint64(), 0xe169c58d6627e8d5);
  EXPECT_EQ(Rng(0, 0).NextDouble(), static_cast<double>(0xe169c58d6627e8d5 >> 11) / 9007199254740992.0);
}

TEST(RngTest, StreamsDiffer) {
  const uint64_t first = Rng(1, 2, 3).NextUint64();
  EXPECT_NE(first, Rng(2, 2, 3).NextUint64());
  EXPECT_NE(first, Rng(1, 3, 3).NextUint64());
  EXPECT_NE(first, Rng(1, 2, 4).NextUint64());
  EXPECT_NE(first, Rng(uint64_t{1} << 32 | 1, 2, 3).NextUint64());
  EXPECT_NE(first, Rng(1, uint64_t{1} << 32 | 2, 3).NextUint64());
}

TEST(RngTest, DoublesAreInRangeAndUniform) {
  constexpr int kBins = 50;
  constexpr int kDraws = 100'000;
  Rng rng(11, 0);
  std::vector<int> counts(kBins);
  for (int i = 0; i < kDraws; ++i) {
    const double u = rng.NextDouble();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    ++counts[static_cast<int>(u * kBins)];
  }
  double chi_square = 0;
  for (const int count : counts) chi_square += std::pow(count - kDraws / kBins, 2) / (kDraws / kBins);
  EXPECT_LT(chi_square, 85.4);  // 0.1 % of fair generators are above, 49 degrees of freedom
}

TEST(RngTest, BelowIsUnbiased) {
  EXPECT_EQ(Rng(1, 1).NextBelow(1), 0u);
  // Were the remainder taken of all 64 bits, the lower half of this bound would come twice as often as the upper one.
  const uint64_t bound = (uint64_t{1} << 63) + (uint64_t{1} << 62);
  Rng rng(5, 0);
  int low = 0;
  constexpr int kDraws = 20'000;
  for (int i = 0; i < kDraws; ++i) {
    const uint64_t drawn = rng.NextBelow(bound);
    ASSERT_LT(drawn, bound);
    low += drawn < bound / 2;
  }
  EXPECT_NEAR(low, kDraws / 2, 300);  // 4 standard deviations are 283
}

}  // namespace
}  // namespace tuner::core

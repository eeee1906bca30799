#include "strategies/gp/quasi_random.h"

#include <algorithm>
#include <bit>
#include <boost/random/sobol.hpp>

#include "core/rng.h"
#include "strategies/gp/normal.h"

namespace tuner::strategies::gp {
namespace {

// The lower triangular matrix of bits with ones on its diagonal, drawn column by column, times a column of bits.
class LinearScramble {
 public:
  explicit LinearScramble(core::Rng& rng) {
    uint64_t diagonal = uint64_t{1} << 63;
    for (uint64_t& column : columns_) {
      column = diagonal | (rng.NextUint64() & (diagonal - 1));
      diagonal >>= 1;
    }
  }

  uint64_t operator()(uint64_t bits) const {
    uint64_t result = 0;
    while (bits != 0) {
      const int place = std::countl_zero(bits);
      result ^= columns_[static_cast<size_t>(place)];
      bits &= ~(uint64_t{1} << (63 - place));
    }
    return result;
  }

 private:
  std::array<uint64_t, 64> columns_;
};

}  // namespace

ScrambledSobol::ScrambledSobol(int dimensions, uint64_t seed, uint32_t stream)
    : coordinates_(static_cast<size_t>(dimensions)) {
  if (dimensions == 0) return;
  boost::random::sobol_engine<uint64_t, 64> engine(static_cast<size_t>(dimensions));
  for (size_t bit = 0; bit < kBits; ++bit) {
    // The engine leaves the origin out and counts in Gray code: its point 2^(bit + 1) - 2 is one direction alone.
    engine.seed((uint64_t{2} << bit) - 2);
    for (Coordinate& coordinate : coordinates_) coordinate.directions[bit] = engine();
  }
  for (size_t i = 0; i < coordinates_.size(); ++i) {
    core::Rng rng(seed, i, stream);
    const LinearScramble scramble(rng);
    for (uint64_t& direction : coordinates_[i].directions) direction = scramble(direction);
    coordinates_[i].shift = rng.NextUint64();
  }
}

void ScrambledSobol::Point(uint64_t index, absl::Span<double> out) const {
  for (size_t i = 0; i < coordinates_.size(); ++i) {
    uint64_t x = coordinates_[i].shift;
    for (uint64_t rest = index; rest != 0; rest &= rest - 1) {
      x ^= coordinates_[i].directions[static_cast<size_t>(std::countr_zero(rest))];
    }
    out[i] = (static_cast<double>(x >> 12) + 0.5) * 0x1p-52;
  }
}

void ScrambledSobol::NormalPoint(uint64_t index, absl::Span<double> out) const {
  Point(index, out);
  std::transform(out.begin(), out.end(), out.begin(), InverseCdf);
}

}  // namespace tuner::strategies::gp

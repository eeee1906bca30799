// Scrambled Sobol points: they fill the unit cube evenly, and each of them alone is uniform.
//
// Shapes: a point has `dimensions` coordinates; points are numbered from 0 in the digital sequence's natural order, so
// that the first 2^k of them, and each later block of 2^k, are a net. Threads: immutable; any thread. Determinism: a
// pure function of its arguments, the same on every machine; it never changes, since stored jobs rely on it.
//
// Source: direction numbers of Joe and Kuo 2008 as Boost.Random has them; scrambled by a random linear matrix and a
// digital shift (Matousek 1998; Owen 2003).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace tuner::strategies::gp {

class ScrambledSobol {
 public:
  static constexpr int kMostDimensions = 3667;

  // dimensions: 0 to kMostDimensions.
  ScrambledSobol(int dimensions, uint64_t seed, uint32_t stream);

  int dimensions() const { return static_cast<int>(coordinates_.size()); }

  // Coordinates strictly between 0 and 1. index < 2^32; out: dimensions.
  void Point(uint64_t index, absl::Span<double> out) const;
  // The same through the inverse of the standard normal distribution.
  void NormalPoint(uint64_t index, absl::Span<double> out) const;

 private:
  static constexpr int kBits = 32;  // of an index
  struct Coordinate {
    std::array<uint64_t, kBits> directions;  // scrambled: what each bit of the index adds, as a fraction of 2^64
    uint64_t shift = 0;
  };
  std::vector<Coordinate> coordinates_;
};

}  // namespace tuner::strategies::gp
